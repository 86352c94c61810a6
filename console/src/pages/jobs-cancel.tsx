/** The bar that cancels the selected jobs. */

import { useState } from "preact/hooks";
import { ApiError, remove, sentence } from "../api/client";
import type { JobRow } from "../api/types";
import { Confirm } from "../ui/confirm";
import { say } from "../ui/toast";
import { titleOf } from "./jobs-row";
import { reload } from "./jobs-store";

// A job is cancelled when nothing of it is left, which takes seconds.
const AT_ONCE = 4;

export function CancelBar({ jobs, done }: { jobs: JobRow[]; done: () => void }) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const what = jobs.length === 1 ? "1 job" : `${jobs.length} jobs`;

  async function close(confirmed: boolean): Promise<void> {
    setAsking(false);
    if (!confirmed) return;
    setBusy(true);
    await cancelAll(jobs.map((job) => job.process_id));
    setBusy(false);
    done();
    // Also without events, the list shows what has ended.
    reload();
  }

  return (
    <div class="jobs-bar" role="region" aria-label="Selected jobs">
      <span>{jobs.length} selected</span>
      <button type="button" class="danger" disabled={busy} onClick={() => setAsking(true)}>
        {busy ? "Cancelling…" : `Cancel ${what}`}
      </button>
      <button type="button" class="quiet" onClick={done}>
        Select none
      </button>
      {asking && (
        <Confirm title={`Cancel ${what}?`} action={`Cancel ${what}`} close={close}>
          <p>What they have written so far is kept. Their programs are ended.</p>
          <ul class="jobs-named">
            {jobs.slice(0, 5).map((job) => (
              <li key={job.process_id} dir="auto">
                {titleOf(job)}
              </li>
            ))}
            {jobs.length > 5 && <li>and {jobs.length - 5} more</li>}
          </ul>
        </Confirm>
      )}
    </div>
  );
}

async function cancelAll(ids: string[]): Promise<void> {
  const left = [...ids];
  let cancelled = 0;
  const problems = new Set<string>();
  const work = async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      try {
        await remove(`/chat/${encodeURIComponent(id)}`);
        cancelled += 1;
      } catch (error) {
        // It has ended in the meantime.
        if (!(error instanceof ApiError && error.status === 404)) problems.add(sentence(error));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (cancelled > 0) say(cancelled === 1 ? "1 job was cancelled." : `${cancelled} jobs were cancelled.`);
  else if (problems.size === 0) say("Nothing to cancel: they have ended.");
  for (const problem of problems) say(problem, true);
}
