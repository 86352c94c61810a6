/** The head of a job's page: its state and facts, and what can be done with it. */

import { useState } from "preact/hooks";
import { post, remove } from "../api/client";
import type { JobRecord, JobRequest } from "../api/types";
import { amountOf } from "../conversation/tokens";
import { exact, oneLine, visible } from "../conversation/visible-text";
import { link } from "../router";
import { questions } from "../state/live";
import { me } from "../state/session";
import { Confirm } from "../ui/confirm";
import { cost, count, duration, folder, moment } from "../ui/format";
import { useNow } from "../ui/hooks";
import { copy } from "../ui/save";
import { StatusBadge } from "../ui/status";
import { attempt } from "../ui/toast";
import { curlOf } from "./job-curl";
import type { Feed } from "./job-feed";

interface JobHeadProps {
  id: string;
  record: JobRecord;
  asked: JobRequest | null;
  feed: Feed;
  reload: () => void;
}

/** How many questions of a job wait for an answer. */
function questionsOf(id: string): number {
  return questions.value.filter((each) => each.process_id === id).length;
}

export function JobHead({ id, record, asked, feed, reload }: JobHeadProps) {
  const isOpen = record.ended_at === null;
  return (
    <header class="job-head">
      <div class="job-title">
        <h1 dir="auto">{visible(record.title || "Job without a title")}</h1>
        <StatusBadge job={{ ...record, open_questions: questionsOf(id) }} />
      </div>
      <Facts record={record} feed={feed} />
      <div class="row job-actions">
        {isOpen && <StopActions id={id} record={record} reload={reload} />}
        {record.session_id && <SessionLinks record={record} />}
        <button
          type="button"
          disabled={asked === null}
          onClick={() => asked && void attempt(() => copy(curlOf(record, asked)), "The curl command is copied.")}
        >
          Copy as curl
        </button>
      </div>
    </header>
  );
}

function Facts({ record, feed }: { record: JobRecord; feed: Feed }) {
  const isOpen = record.ended_at === null;
  const now = useNow(isOpen);
  const took = record.duration_ms ?? Math.max(0, now - Date.parse(record.started_at));
  const used = record.usage ? amountOf(record.usage) : feed.conversation.tokens.total();
  const place = feed.place || (record.queue_position ? String(record.queue_position) : "");
  return (
    <dl class="job-facts">
      {record.status === "queued" && place && <Fact name="Place in the queue">{visible(place)}</Fact>}
      <Fact name="Time">{duration(took)}</Fact>
      {record.total_cost_usd !== null && <Fact name="Cost">{cost(record.total_cost_usd)}</Fact>}
      {used.input + used.output > 0 && (
        <Fact name="Tokens">
          {count(used.input)} in, {count(used.output)} out
        </Fact>
      )}
      {record.model && <Fact name="Model">{oneLine(record.model, 60)}</Fact>}
      {record.cwd && (
        <Fact name="Folder">
          <span class="mono" title={exact(record.cwd)}>
            {exact(folder(record.cwd))}
          </span>
        </Fact>
      )}
      {record.session_id && (
        <Fact name="Session">
          <a class="mono" href={link("sessions", record.session_id)}>
            {oneLine(record.session_id, 8)}
          </a>
        </Fact>
      )}
      {me.value?.operator && <Fact name="User">{visible(record.user)}</Fact>}
      <Fact name="Started">{moment(record.started_at)}</Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface StopActionsProps {
  id: string;
  record: JobRecord;
  reload: () => void;
}

function StopActions({ id, record, reload }: StopActionsProps) {
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  async function run(action: () => Promise<unknown>, done: string): Promise<void> {
    setBusy(true);
    await attempt(action, done);
    setBusy(false);
    reload();
  }
  const cancel = () => void run(() => remove(`/chat/${id}`), "The job is cancelled.");
  const confirmed = (yes: boolean) => {
    setAsking(false);
    if (yes) cancel();
  };
  return (
    <>
      <button
        type="button"
        disabled={busy}
        title="Stop this turn. The CLI writes a last result."
        onClick={() => void run(() => post(`/jobs/${id}/interrupt`, {}), "The job is interrupted.")}
      >
        Interrupt
      </button>
      <button
        type="button"
        class="danger"
        disabled={busy}
        // A job that waits has done nothing that could be lost.
        onClick={() => (record.status === "queued" ? cancel() : setAsking(true))}
      >
        Cancel
      </button>
      {asking && (
        <Confirm title="Cancel this job?" action="Cancel the job" close={confirmed}>
          <p>
            Its process and everything that it has started are ended. What it has written to files so far stays; what
            it was about to do is lost.
          </p>
        </Confirm>
      )}
    </>
  );
}

function SessionLinks({ record }: { record: JobRecord }) {
  const form = (fork: boolean) => {
    const query = new URLSearchParams({ session: record.session_id ?? "" });
    if (record.cwd) query.set("cwd", record.cwd);
    if (fork) query.set("fork", "1");
    return `${link("new")}?${query}`;
  };
  return (
    <>
      {record.ended_at !== null && (
        <a class="button" href={form(false)}>
          Continue
        </a>
      )}
      <a class="button" href={form(true)}>
        Fork
      </a>
    </>
  );
}
