/** One job of the list. */

import type { JobRow } from "../api/types";
import { oneLine, visible } from "../conversation/visible-text";
import { link } from "../router";
import { cost, duration, folder, modelName, moment, words } from "../ui/format";
import { useNow } from "../ui/hooks";
import { StatusBadge } from "../ui/status";
import { isLive } from "./jobs-filter";
import type { Choosing } from "./jobs-table";

export type RowProps = Choosing & { row: JobRow; operator: boolean };

/** The cells of a table's row. */
export function JobCells(props: RowProps & { index: number }) {
  const { row, operator, index } = props;
  return (
    <div role="row" class="jobs-row" data-job={row.process_id} aria-rowindex={index + 2}>
      <span role="cell" class="jobs-check">
        <Check {...props} />
      </span>
      <span role="cell">
        <State row={row} />
      </span>
      <span role="cell" class="jobs-title">
        <Title row={row} />
      </span>
      <span role="cell" class="dim" title={row.cwd} dir="auto">
        {visible(folder(row.cwd))}
      </span>
      <span role="cell" class="dim" title={row.model ?? undefined}>
        {visible(modelName(row.model ?? ""))}
      </span>
      {operator && (
        <span role="cell" class="dim" title={row.user}>
          {visible(row.user)}
        </span>
      )}
      <span role="cell" class="dim jobs-number">
        <Started row={row} />
      </span>
      <span role="cell" class="jobs-number">
        <Duration row={row} />
      </span>
      <span role="cell" class="jobs-number">
        {cost(row.total_cost_usd)}
      </span>
      <span role="cell" class="jobs-number">
        {row.num_turns}
      </span>
    </div>
  );
}

/** The same on a phone. */
export function JobCard(props: RowProps) {
  const { row, operator } = props;
  const turns = row.num_turns && `${row.num_turns} ${row.num_turns === 1 ? "turn" : "turns"}`;
  const facts = [cost(row.total_cost_usd), turns, modelName(row.model ?? ""), operator && row.user].filter(Boolean);
  return (
    <article class="jobs-card" data-job={row.process_id}>
      <div class="jobs-card-line">
        <State row={row} />
        <span class="jobs-card-time dim">
          <Started row={row} /> · <Duration row={row} />
        </span>
        <span class="jobs-check">
          <Check {...props} />
        </span>
      </div>
      <div class="jobs-title">
        <Title row={row} />
      </div>
      <div class="jobs-card-line dim">
        <span class="jobs-card-folder" dir="auto">
          {visible(folder(row.cwd))}
        </span>
        <span>{visible(facts.join(" · "))}</span>
      </div>
    </article>
  );
}

function Check({ row, chosen, choose }: RowProps) {
  if (!isLive(row)) return null;
  return (
    <label class="jobs-select">
      <input
        type="checkbox"
        aria-label={`Select ${titleOf(row)}`}
        checked={chosen.has(row.process_id)}
        onChange={(event) => choose(row, event.currentTarget.checked)}
      />
    </label>
  );
}

function State({ row }: { row: JobRow }) {
  return (
    <>
      <StatusBadge job={row} />
      {row.status === "failed" && row.reason && (
        <span class="hidden">because of {words(row.reason)}</span>
      )}
    </>
  );
}

function Title({ row }: { row: JobRow }) {
  const text = titleOf(row);
  return (
    <a href={link("jobs", row.process_id)} title={text} dir="auto">
      {text}
    </a>
  );
}

/** The id, if the title has nothing that can be seen. */
export function titleOf(row: JobRow): string {
  return oneLine(row.title ?? "") || row.process_id;
}

function Started({ row }: { row: JobRow }) {
  const at = new Date(row.started_at);
  return (
    <time dateTime={row.started_at} title={at.toLocaleString("en-GB")}>
      {moment(row.started_at)}
    </time>
  );
}

function Duration({ row }: { row: JobRow }) {
  const now = useNow(isLive(row));
  if (row.status === "queued") return null;
  const from = Date.parse(row.started_at);
  const until = row.ended_at === null ? now : Date.parse(row.ended_at);
  return <>{duration(until - from)}</>;
}
