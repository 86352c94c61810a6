/** Which jobs the list shows, and what an event changes in it. Pure. */

import type { JobRow, Totals } from "../api/types";

export interface JobFilter {
  /** The name of one of CHOICES, or a status. */
  status: string;
  /** A part of the title. */
  q: string;
  user: string;
  cwd: string;
  session_id: string;
}

/** The filters with a count, in the order of the page. */
export const CHOICES = [
  { name: "", title: "All" },
  { name: "running", title: "Running" },
  { name: "queued", title: "Queued" },
  { name: "waiting", title: "Waiting", rest: " for you" },
  { name: "failed", title: "Failed" },
] as const;

const FAILED = ["failed", "timed_out", "lost"];

export function filterOf(query: URLSearchParams): JobFilter {
  const text = (name: string) => query.get(name) ?? "";
  return {
    status: text("status"),
    q: text("q").trim(),
    user: text("user"),
    cwd: text("cwd"),
    session_id: text("session_id"),
  };
}

/** The parameters of GET /jobs; those that are "" are left out by `withQuery`. */
export function parametersOf(filter: JobFilter): Record<string, string> {
  const status = filter.status === "failed" ? FAILED.join(",") : filter.status;
  return { ...filter, status };
}

export function isFiltered(filter: JobFilter): boolean {
  return Object.values(filter).some((value) => value !== "");
}

/** Whether the list with this filter has the row; the same rules as those of GET /jobs. */
export function fits(row: JobRow, filter: JobFilter): boolean {
  return (
    hasStatus(row, filter.status) &&
    small(row.title ?? "").includes(small(filter.q)) &&
    (filter.user === "" || filter.user === row.user) &&
    (filter.cwd === "" || filter.cwd === row.cwd) &&
    (filter.session_id === "" || filter.session_id === row.session_id)
  );
}

function hasStatus(row: JobRow, wanted: string): boolean {
  if (wanted === "") return true;
  if (wanted === "failed") return FAILED.includes(row.status);
  if (wanted === "waiting") return isWaiting(row);
  return wanted.split(",").includes(row.status);
}

/** Only ASCII letters are equal in both cases, as in the gateway. */
function small(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

export function isWaiting(row: JobRow): boolean {
  return row.status === "running" && row.open_questions > 0;
}

/** Whether the job runs or is queued. */
export function isLive(row: JobRow): boolean {
  return row.status === "running" || row.status === "queued";
}

/**
 * The list, newest first, after changes. A job older than all in the list is added only if the
 * list is `complete`; otherwise it comes with the next page.
 */
export function merged(
  rows: readonly JobRow[],
  changes: readonly JobRow[],
  filter: JobFilter,
  complete: boolean,
): JobRow[] {
  const changed = new Map(changes.map((row) => [row.process_id, row]));
  const kept: JobRow[] = [];
  for (const row of rows) {
    const change = changed.get(row.process_id);
    changed.delete(row.process_id);
    const now = change && !isStale(row, change) ? change : row;
    if (now === row || fits(now, filter)) kept.push(now);
  }
  const oldest = rows.at(-1)?.started_at ?? "";
  for (const row of changed.values()) {
    if (!fits(row, filter) || (!complete && row.started_at < oldest)) continue;
    const at = kept.findIndex((each) => each.started_at <= row.started_at);
    kept.splice(at < 0 ? kept.length : at, 0, row);
  }
  return kept;
}

/** Whether a change is older than what is known: a job that has ended does not run again. */
function isStale(known: JobRow, change: JobRow): boolean {
  return !isLive(known) && isLive(change);
}

/** What the totals count a job as. */
export interface Counted {
  status: JobRow["status"];
  waiting: boolean;
}

export function countedAs(row: JobRow): Counted {
  return { status: row.status, waiting: isWaiting(row) };
}

/** The totals after a job has changed. */
export function shifted(totals: Totals, before: Counted, after: Counted): Totals {
  const next = { ...totals };
  next[before.status] = Math.max(0, next[before.status] - 1);
  next[after.status] += 1;
  next.waiting = Math.max(0, next.waiting - Number(before.waiting) + Number(after.waiting));
  return next;
}

/** The number at a filter of CHOICES. */
export function countOf(totals: Totals, choice: string): number {
  if (choice === "failed") return totals.failed + totals.timed_out + totals.lost;
  if (choice !== "") return totals[choice as keyof Totals] ?? 0;
  const { waiting: _, ...statuses } = totals;
  return Object.values(statuses).reduce((sum, each) => sum + each, 0);
}
