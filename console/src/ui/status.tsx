/** The state of a job as a coloured word. */

import type { JobRow } from "../api/types";
import { words } from "./format";

type Shown = Pick<JobRow, "status" | "open_questions" | "queue_position">;

export function stateOf(job: Shown): string {
  if (job.status === "running" && job.open_questions > 0) return "waiting for you";
  if (job.status === "queued" && job.queue_position) return `queued, place ${job.queue_position}`;
  return words(job.status);
}

export function StatusBadge({ job }: { job: Shown }) {
  const kind = job.status === "running" && job.open_questions > 0 ? "waiting" : job.status;
  return <span class={`badge badge-${kind}`}>{stateOf(job)}</span>;
}
