import { expect, test } from "vitest";
import type { JobRow, Totals } from "../src/api/types";
import * as jobs from "../src/pages/jobs-filter";

function row(id: string, changes: Partial<JobRow> = {}): JobRow {
  const nothing = { reason: null, model: null, session_id: null, run_id: null, duration_ms: null };
  return {
    ...{ ...nothing, total_cost_usd: null, num_turns: null, is_error: null, queue_position: null },
    ...{ process_id: id, status: "running", title: `Job ${id}`, cwd: "/srv/a", user: "alice" },
    ...{ started_at: `2026-11-26T10:00:0${id}Z`, ended_at: null, open_questions: 0 },
    ...{ backend: "cli", detached: true },
    ...changes,
  };
}

const everything = jobs.filterOf(new URLSearchParams());
const only = (query: string) => jobs.filterOf(new URLSearchParams(query));
const ids = (rows: JobRow[]) => rows.map((each) => each.process_id).join("");

test.each([
  ["status=running", {}, true],
  ["status=waiting", {}, false],
  ["status=waiting", { open_questions: 1 }, true],
  ["status=waiting", { open_questions: 1, status: "succeeded" as const }, false],
  ["status=failed", { status: "timed_out" as const }, true],
  ["status=failed", { status: "cancelled" as const }, false],
  ["q=JOB", {}, true],
  ["q=other", {}, false],
  ["q=%C3%84", { title: "\u00e4" }, false],
  ["q=x", { title: null }, false],
  ["user=bob", {}, false],
  ["cwd=/srv/a&session_id=s", { session_id: "s" }, true],
])("the filter %s and a job with %j", (query, changes, expected) => {
  expect(jobs.fits(row("1", changes), only(query))).toBe(expected);
});

test("a new job comes first, and a changed one stays at its place", () => {
  const rows = [row("3"), row("2"), row("1")];
  const found = jobs.merged(rows, [row("2", { title: "new" }), row("4")], everything, true);
  expect(ids(found)).toBe("4321");
  expect(found[2]?.title).toBe("new");
});

test("a job that no longer fits leaves the list", () => {
  const change = row("2", { status: "succeeded", ended_at: "2026-11-26T10:01:00Z" });
  expect(ids(jobs.merged([row("3"), row("2")], [change], only("status=running"), true))).toBe("3");
});

test("a job that is older than the loaded ones waits for its page", () => {
  expect(ids(jobs.merged([row("3")], [row("1")], everything, false))).toBe("3");
  expect(ids(jobs.merged([row("3")], [row("1")], everything, true))).toBe("31");
});

test("a job that has ended does not run again", () => {
  const ended = row("1", { status: "failed", ended_at: "2026-11-26T10:01:00Z" });
  expect(jobs.merged([ended], [row("1")], everything, true)).toEqual([ended]);
});

const TOTALS: Totals = {
  ...{ queued: 1, running: 2, waiting: 1, succeeded: 3 },
  ...{ failed: 1, timed_out: 1, cancelled: 0, lost: 1 },
};

test("the totals follow a job", () => {
  const before = jobs.countedAs(row("1", { open_questions: 1 }));
  const after = jobs.countedAs(row("1", { status: "succeeded", open_questions: 1 }));
  const found = jobs.shifted(TOTALS, before, after);
  expect(found).toEqual({ ...TOTALS, running: 1, waiting: 0, succeeded: 4 });
});

test("all are counted once, though those that wait run", () => {
  expect(jobs.countOf(TOTALS, "")).toBe(9);
  expect(jobs.countOf(TOTALS, "failed")).toBe(3);
});

test("the filter failed asks for all ways to fail", () => {
  expect(jobs.parametersOf(only("status=failed"))["status"]).toBe("failed,timed_out,lost");
});
