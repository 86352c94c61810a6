// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import type { SessionRow, Usage, UsageSums } from "../src/api/types";
import { byFolder } from "../src/pages/sessions";

vi.mock("uplot", () => ({ default: class {} }));
const { points } = await import("../src/ui/cost-chart");

const nothing: UsageSums = {
  jobs: 0,
  failed: 0,
  cost_usd: 0,
  input_tokens: 0,
  output_tokens: 0,
  cache_read_tokens: 0,
  cache_creation_tokens: 0,
  duration_ms: 0,
};

const never = { jobs: 0, first_line_ms: null };

test("a chart has each day of the period, also those without a job", () => {
  const usage: Usage = {
    from: "2026-02-27",
    to: "2026-03-02",
    by: "day",
    rows: [{ ...nothing, key: "2026-03-01", cost_usd: 2 }],
    total: nothing,
    starts: { cold: never, resumed: never, kept: never, spare: never },
    saved_ms: 0,
  };
  const [days, costs] = points(usage);
  expect(days.map((day) => new Date(day * 1000).toISOString().slice(0, 10))).toEqual([
    "2026-02-27",
    "2026-02-28",
    "2026-03-01",
    "2026-03-02",
  ]);
  expect(costs).toEqual([null, null, 2, null]);
});

test("folders come in the order of their latest session", () => {
  const row = (session_id: string, cwd: string | null) => ({ session_id, cwd }) as SessionRow;
  const found = byFolder([row("1", "/b"), row("2", "/a"), row("3", "/b"), row("4", null)]);
  expect(found.map(([cwd, rows]) => [cwd, rows.map((each) => each.session_id)])).toEqual([
    ["/b", ["1", "3"]],
    ["/a", ["2"]],
    ["", ["4"]],
  ]);
});
