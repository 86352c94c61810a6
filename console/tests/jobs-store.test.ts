import { beforeEach, expect, test, vi } from "vitest";
import type { JobList, JobRow } from "../src/api/types";

interface Asked {
  query: Record<string, unknown>;
  answer: (found: Partial<JobList>) => Promise<void>;
}

const asked: Asked[] = [];

vi.mock("../src/api/client", async (original) => ({
  ...(await original<typeof import("../src/api/client")>()),
  get: (_: string, query: Record<string, unknown>) =>
    new Promise((resolve) => {
      const answer = async (found: Partial<JobList>) => {
        resolve(found);
        await new Promise((done) => setTimeout(done));
      };
      asked.push({ query, answer });
    }),
}));

const store = await import("../src/pages/jobs-store");
const { filterOf } = await import("../src/pages/jobs-filter");

const rows = (first: number, count: number) =>
  Array.from({ length: count }, (_, at) => {
    const fields = { status: "succeeded", open_questions: 0, started_at: `2026-${9999 - first - at}` };
    return { ...fields, process_id: String(first + at), title: "" } as JobRow;
  });

let round = 0;
beforeEach(() => {
  asked.length = 0;
  // Another filter each time: the list begins anew.
  store.show(filterOf(new URLSearchParams(`cwd=/${(round += 1)}`)));
});

test("the first page is short, and the next one follows its last job", async () => {
  expect(asked[0]?.query).toMatchObject({ limit: 60, totals: true });
  await asked[0]?.answer({ jobs: rows(0, 60) });
  store.loadMore();
  expect(asked[1]?.query).toMatchObject({ before: "59", totals: false });
  await asked[1]?.answer({ jobs: rows(60, 7) });
  expect(store.list.value.rows).toHaveLength(67);
  store.loadMore();
  expect(asked).toHaveLength(2);
});

test("the end that is reached while the list is loaded again is not forgotten", async () => {
  await asked[0]?.answer({ jobs: rows(0, 60) });
  store.reload();
  store.loadMore();
  expect(asked).toHaveLength(2);
  await asked[1]?.answer({ jobs: rows(0, 60) });
  expect(asked[2]?.query).toMatchObject({ before: "59" });
});

test("a next page that is given up for a reload is asked for again", async () => {
  await asked[0]?.answer({ jobs: rows(0, 60) });
  store.loadMore();
  store.reload();
  await asked[2]?.answer({ jobs: rows(0, 60) });
  expect(asked[3]?.query).toMatchObject({ before: "59" });
});

test("an answer to an earlier filter is not shown", async () => {
  store.show(filterOf(new URLSearchParams("q=other")));
  await asked[1]?.answer({ jobs: rows(0, 1) });
  await asked[0]?.answer({ jobs: rows(5, 2) });
  expect(store.list.value.rows).toHaveLength(1);
});
