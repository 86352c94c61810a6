/** The end of a job: how it ended and why, or that it goes on. */

import type { JobRecord } from "../api/types";
import { visible } from "../conversation/visible-text";
import { duration, moment, words } from "../ui/format";
import { LongText } from "../ui/long-text";

interface JobEndProps {
  record: JobRecord;
  isWaiting: boolean;
  /** How many lines have come, while there are more to come of a job that has ended. */
  reading: number | null;
}

export function JobEnd({ record, isWaiting, reading }: JobEndProps) {
  if (record.ended_at === null) {
    const text = record.status === "queued" ? "It waits for its turn." : isWaiting ? "It waits for your answer." : "Running";
    return <p class={record.status === "running" && !isWaiting ? "job-end dim pulse" : "job-end dim"}>{text}</p>;
  }
  if (reading !== null) {
    return <p class="job-end dim">Reading its lines… {reading.toLocaleString("en")} so far</p>;
  }
  const hasFailed = record.status !== "succeeded";
  const how = [
    record.exit_code != null && record.exit_code !== 0 && `exit status ${record.exit_code}`,
    record.signal && `ended by ${record.signal}`,
  ].filter(Boolean);
  return (
    <div class={hasFailed && record.status !== "cancelled" ? "job-end job-failed" : "job-end"}>
      <strong>The job {endOf(record)}</strong>
      <span class="dim">
        {" "}
        · {moment(record.ended_at)}
        {record.duration_ms !== null && ` · ${duration(record.duration_ms)}`}
        {how.length > 0 && ` · ${how.join(", ")}`}
      </span>
      {record.error && record.status !== "cancelled" && <p dir="auto">{visible(record.error)}</p>}
      {record.stderr && (
        <details>
          <summary>Standard error (its last lines)</summary>
          <div class="tool-text">
            <LongText text={record.stderr} file={`job-${record.process_id}-stderr.txt`} />
          </div>
        </details>
      )}
    </div>
  );
}

const ENDS: Record<string, string> = {
  succeeded: "succeeded",
  failed: "failed",
  cancelled: "was cancelled",
  timed_out: "took too long",
  lost: "was lost: its process is gone, and left no result",
};

function endOf(record: JobRecord): string {
  const reason = record.reason ? `: ${words(record.reason)}` : "";
  return `${ENDS[record.status] ?? words(record.status)}${reason}`;
}
