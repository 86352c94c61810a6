/** The box to send a running job a message, and what became of the messages. */

import { useState } from "preact/hooks";
import { ApiError, post, sentence } from "../api/client";
import type { JobRecord, JobRequest } from "../api/types";
import type { Conversation } from "../conversation/reducer";
import { oneLine } from "../conversation/visible-text";
import { wordsFor } from "../ui/format";

interface JobComposerProps {
  id: string;
  record: JobRecord;
  asked: JobRequest | null;
  conversation: Conversation;
  /** A message was sent: the record has its state. */
  onSent: () => void;
}

const STATES: Record<string, string> = {
  held: "waits until the job's turn begins",
  sent: "sent",
  queued: "sent",
  started: "taken in",
  completed: "answered",
  cancelled: "cancelled by an interrupt",
  discarded: "discarded: the job ended before",
};
const OPEN = new Set(["held", "sent", "queued"]);
const PLAIN_JOB =
  "This job takes no messages: it was started with neither ask nor keep_alive. Cancel it, or continue its session afterwards.";

export function JobComposer({ id, record, asked, conversation, onSent }: JobComposerProps) {
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState(false);
  const [sent, setSent] = useState<Map<string, string>>(new Map());
  const isPlain = refused || (asked !== null && !asked.fields.ask && !asked.fields.keep_alive && !record.run_id);

  async function send(): Promise<void> {
    const said = text.trim();
    if (said === "" || busy) return;
    setBusy(true);
    setError("");
    try {
      const { message_id: message } = await post<{ message_id: string }>(`/jobs/${id}/messages`, { text: said });
      setSent((before) => new Map(before).set(message, said));
      setText("");
      onSent();
    } catch (problem) {
      if (problem instanceof ApiError && problem.code === "plain_job") setRefused(true);
      else setError(sentence(problem));
    }
    setBusy(false);
  }

  if (isPlain) return <p class="job-composer dim">{PLAIN_JOB}</p>;
  return (
    <form
      class="job-composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <Sent record={record} asked={asked} sent={sent} conversation={conversation} />
      {error && (
        <p class="notice notice-error" role="alert">
          {error}
        </p>
      )}
      <div class="job-say">
        <textarea
          aria-label="Message to the job"
          placeholder="Say something to it. Enter sends, Shift-Enter begins a new line."
          rows={1}
          dir="auto"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            void send();
          }}
        />
        <button type="submit" class="primary" disabled={busy || text.trim() === ""}>
          Send
        </button>
      </div>
    </form>
  );
}

interface SentProps {
  record: JobRecord;
  asked: JobRequest | null;
  sent: Map<string, string>;
  conversation: Conversation;
}

/** The messages that the model does not have yet, and the last one that it has. */
function Sent({ record, asked, sent, conversation }: SentProps) {
  const texts = new Map(sent);
  for (const each of asked?.messages ?? []) {
    if (each.text) texts.set(each.message_id, each.text);
  }
  const known = new Map<string, string>(record.messages?.map((each) => [each.message_id, each.state]) ?? []);
  for (const id of sent.keys()) if (!known.has(id)) known.set(id, "sent");
  for (const id of known.keys()) known.set(id, conversation.messageState(id) ?? known.get(id) ?? "");
  const rows = [...known].filter(([id, state], at) => OPEN.has(state) || (sent.has(id) && at === known.size - 1));
  if (rows.length === 0) return null;
  return (
    <ul class="job-sent" aria-live="polite">
      {rows.map(([id, state]) => (
        <li key={id}>
          <span dir="auto">{oneLine(texts.get(id) ?? "Message", 120)}</span>
          <span class="dim"> · {wordsFor(STATES, state)}</span>
        </li>
      ))}
    </ul>
  );
}
