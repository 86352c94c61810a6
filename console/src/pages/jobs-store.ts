/** The list of jobs that was last shown. It follows the events also while another page is shown. */

import { effect, signal } from "@preact/signals";
import { ApiError, get, sentence } from "../api/client";
import type { JobList, JobRow, Totals } from "../api/types";
import { connected, listen } from "../state/live";
import { me } from "../state/session";
import { type Counted, countedAs, type JobFilter, merged, parametersOf, shifted } from "./jobs-filter";

/** Jobs in the first page, which must be quick, and in each later one. */
const FIRST_PAGE = 60;
const NEXT_PAGE = 100;
/** The most that the gateway gives at once. */
const LONGEST_PAGE = 500;
/** Milliseconds from a change until totals and places are asked for. */
const TOTALS_PAUSE = 2000;

export interface ListState {
  rows: JobRow[];
  totals: Totals | null;
  hasMore: boolean;
  loading: boolean;
  error: string;
}

const NOTHING: ListState = { rows: [], totals: null, hasMore: false, loading: true, error: "" };

export const list = signal<ListState>(NOTHING);
/** Where the list was scrolled to, in pixels, and the job that was chosen by key. */
export const scrolled = { top: 0, job: "" };

let filter: JobFilter | null = null;
let loading: AbortController | null = null;
// Whether to load again after the load that goes on, which may have begun too early.
let again = false;
// Whether the end of the list was reached during a load: the page says so only once.
let wantsMore = false;
// Whether the load that goes on is for the jobs that follow the last one.
let isNext = false;
// What happens while a page is loaded: its answer may be older.
let meanwhile: JobRow[] = [];
const known = new Map<string, Counted>();
let totalsTimer: ReturnType<typeof setTimeout> | undefined;

listen({ onJobs: take, onReset: reload, onOpen: reloadNext });

let wasConnected = true;
effect(() => {
  const now = connected.value;
  if (now && !wasConnected) reload();
  wasConnected = now;
});

effect(() => {
  // What one user has seen is not for the next one.
  if (me.value == null) forget();
});

function forget(): void {
  loading?.abort();
  loading = filter = null;
  known.clear();
  scrolled.top = 0;
  list.value = NOTHING;
}

/** Show the jobs that fit; the same filter again keeps what is there. */
export function show(wanted: JobFilter): void {
  if (filter !== null && JSON.stringify(filter) === JSON.stringify(wanted)) return;
  filter = wanted;
  loading?.abort();
  loading = null;
  wantsMore = false;
  scrolled.top = 0;
  list.value = { ...list.value, rows: [], hasMore: false };
  void load(FIRST_PAGE);
}

/** Load what is shown again. */
export function reload(): void {
  if (filter === null) return;
  void load(Math.min(LONGEST_PAGE, Math.max(FIRST_PAGE, list.peek().rows.length)));
}

/** Load again, but show first what is on its way. */
function reloadNext(): void {
  if (loading === null) reload();
  else again = true;
}

/** Load the jobs that follow the last one. */
export function loadMore(): void {
  const { rows, hasMore, error } = list.peek();
  const last = rows.at(-1);
  if (!hasMore || !last || error !== "") return;
  if (loading === null) void load(NEXT_PAGE, last.process_id);
  else wantsMore = true;
}

async function load(limit: number, before?: string): Promise<void> {
  if (filter === null) return;
  // A page that is given up is asked for later.
  wantsMore = before === undefined && (wantsMore || (loading !== null && isNext));
  isNext = before !== undefined;
  loading?.abort();
  const mine = (loading = new AbortController());
  const wanted = filter;
  meanwhile = [];
  list.value = { ...list.peek(), loading: true, error: "" };
  try {
    const query = { ...parametersOf(wanted), short: true, totals: before === undefined, limit, before };
    const found = await get<JobList>("/jobs", query, mine.signal);
    if (mine.signal.aborted) return;
    loading = null;
    arrived(found, wanted, limit, before !== undefined);
    if (again) {
      again = false;
      reload();
    } else if (wantsMore) loadMore();
  } catch (error) {
    if (mine.signal.aborted) return;
    loading = null;
    // The last job of the list was removed: its successors are found from the start only.
    if (before !== undefined && error instanceof ApiError && error.status === 404) reload();
    else list.value = { ...list.peek(), loading: false, error: sentence(error) };
  }
}

function arrived(found: JobList, wanted: JobFilter, limit: number, follows: boolean): void {
  const { rows: earlier, totals } = list.peek();
  const have = new Set(earlier.map((row) => row.process_id));
  const rows = follows
    ? [...earlier, ...found.jobs.filter((row) => !have.has(row.process_id))]
    : found.jobs;
  for (const row of found.jobs) known.set(row.process_id, countedAs(row));
  const hasMore = found.jobs.length === limit;
  list.value = { rows, totals: found.totals ?? totals, hasMore, loading: false, error: "" };
  if (meanwhile.length > 0) apply(meanwhile, wanted);
}

function take(changes: JobRow[]): void {
  if (filter === null) return;
  if (loading !== null) meanwhile.push(...changes);
  apply(changes, filter);
}

function apply(changes: readonly JobRow[], wanted: JobFilter): void {
  const { rows, hasMore } = list.peek();
  let { totals } = list.peek();
  for (const row of changes) {
    const before = known.get(row.process_id);
    const after = countedAs(row);
    known.set(row.process_id, after);
    if (totals !== null && before !== undefined) totals = shifted(totals, before, after);
  }
  list.value = { ...list.peek(), rows: merged(rows, changes, wanted, !hasMore), totals };
  recount();
}

/** Ask, soon, for what is in no event: the totals, and the places of all queued jobs. */
function recount(): void {
  totalsTimer ??= setTimeout(() => {
    totalsTimer = undefined;
    if (filter === null) return;
    const query = { status: "queued", short: true, totals: true, limit: LONGEST_PAGE };
    // After a failure the next change asks again, and the page shows that there is no connection.
    void get<JobList>("/jobs", query).then(recounted, () => {});
  }, TOTALS_PAUSE);
}

function recounted({ jobs, totals }: JobList): void {
  if (filter === null || totals === undefined) return;
  const places = new Map(jobs.map((row) => [row.process_id, row.queue_position]));
  const rows = list.peek().rows.map((row) => {
    const place = places.get(row.process_id);
    const moved = row.status === "queued" && place !== undefined && place !== row.queue_position;
    return moved ? { ...row, queue_position: place } : row;
  });
  list.value = { ...list.peek(), rows, totals };
}
