/** A job: what is known of it, its conversation as it comes, and what it asks. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ConversationView, type ConversationHandle } from "../conversation/conversation-view";
import type { Surroundings } from "../conversation/item-view";
import type { Todo } from "../conversation/items";
import { visible } from "../conversation/visible-text";
import { link, place, setQuery } from "../router";
import { questions } from "../state/live";
import { useNow } from "../ui/hooks";
import { useKey } from "../ui/keys";
import { LongText } from "../ui/long-text";
import { ErrorNotice } from "../ui/notice";
import { QuestionCard } from "../ui/question-card";
import { JobComposer } from "./job-composer";
import { JobEnd } from "./job-end";
import { useFeed } from "./job-feed";
import { JobHead } from "./job-head";
import { JobRaw } from "./job-raw";
import { messagesOf, outcomesOf, promptOf, useJobFacts } from "./job-record";
import { JobSearch } from "./job-search";
import "./job.css";

export function JobPage({ id }: { id: string }) {
  const { record, asked, history, error, reload } = useJobFacts(id);
  const feed = useFeed(id, reload);
  // The record could not be had either while the stream was broken off.
  useEffect(() => {
    if (feed.connected && error) reload();
  }, [feed.connected]);
  const { conversation } = feed;
  const { query } = place.value;
  const line = lineIn(query.get("line"));
  const isRaw = query.get("view") === "raw";
  const [following, setFollowing] = useState(line === null);
  const [marked, setMarked] = useState<number | null>(null);
  const [searching, setSearching] = useState(false);
  const handle = useRef<ConversationHandle>(null);
  const isOpen = record !== null && record.ended_at === null;
  const now = useNow(isOpen);
  useKey("/", "Search in this job", () => setSearching(true));
  useKey("f", "Follow, or stop following", () => setFollowing(!following));

  const show = (index: number) => {
    setMarked(conversation.items[index]?.key ?? null);
    handle.current?.show(index);
  };
  // The list is in the page once the record is there.
  const count = record === null ? 0 : conversation.lines.length;
  useLine(line, isRaw, count, () => show(conversation.itemAt(line ?? 1)));

  const opened = useRef(new Map<number, boolean>());
  const [messages, outcomes] = [useMemo(() => messagesOf(asked), [asked]), useMemo(() => outcomesOf(history), [history])];
  const around: Surroundings = useMemo(
    () => ({ lines: conversation.lines, messages, questions: outcomes, opened: opened.current, file: `job-${id}` }),
    [messages, outcomes],
  );
  const open = questions.value.filter((each) => each.process_id === id);

  if (record === null) {
    return (
      <section class="page">
        {error ? <ErrorNotice error={error} retry={reload} /> : <p class="dim">Loading…</p>}
        {error && <a href={link("jobs")}>Go to the jobs</a>}
      </section>
    );
  }
  return (
    <section class="job">
      <JobHead id={id} record={record} asked={asked} feed={feed} reload={reload} />
      {!feed.connected && !feed.ended && (
        <p class="banner" role="status">
          The stream of this job broke off. Connecting again…
        </p>
      )}
      {feed.error && <ErrorNotice error={feed.error} />}
      <Tabs isRaw={isRaw} search={() => setSearching(true)} />
      {searching && !isRaw && (
        <JobSearch
          conversation={conversation}
          show={show}
          close={() => {
            setSearching(false);
            setMarked(null);
          }}
        />
      )}
      <div class="job-body">
        {isRaw ? (
          <div class="job-main">
            <JobRaw id={id} lines={conversation.lines} ended={feed.ended} line={line} />
          </div>
        ) : (
          <div class="job-main">
            <ConversationView
              conversation={conversation}
              around={around}
              now={now}
              first={<Prompt text={promptOf(asked)} title={record.title} />}
              last={
                <JobEnd
                  record={record}
                  isWaiting={open.length > 0}
                  reading={feed.ended || feed.error ? null : conversation.lines.length}
                />
              }
              following={following}
              setFollowing={setFollowing}
              marked={marked}
              linkTo={(number) => `${link("jobs", id)}?line=${number}`}
              handle={handle}
            />
            {!following && (
              <button type="button" class="job-to-end" onClick={() => setFollowing(true)}>
                {isOpen ? "Follow" : "Go to the end"}
              </button>
            )}
          </div>
        )}
        {conversation.todos.length > 0 && <Todos todos={conversation.todos} />}
      </div>
      {(isOpen || open.length > 0) && (
        <footer class="job-foot">
          {open.map((each) => (
            <QuestionCard key={each.question_id} question={each} folder={record.cwd} />
          ))}
          {isOpen && <JobComposer id={id} record={record} asked={asked} conversation={conversation} onSent={reload} />}
        </footer>
      )}
    </section>
  );
}

/** The number of a line in the address; null for anything else. */
function lineIn(text: string | null): number | null {
  return text !== null && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null;
}

/** Show the line of the address, once it has come. */
function useLine(line: number | null, isRaw: boolean, count: number, show: () => void): void {
  const shown = useRef<number | null>(null);
  const isThere = line !== null && count >= line;
  useEffect(() => {
    if (line === null || isRaw || !isThere || shown.current === line) return;
    shown.current = line;
    show();
  }, [line, isRaw, isThere]);
}

function Tabs({ isRaw, search }: { isRaw: boolean; search: () => void }) {
  return (
    <div class="row job-tabs">
      <div role="tablist" aria-label="Views" class="row">
        <button type="button" role="tab" aria-selected={!isRaw} onClick={() => setQuery({ view: null })}>
          Conversation
        </button>
        <button type="button" role="tab" aria-selected={isRaw} onClick={() => setQuery({ view: "raw" })}>
          Raw lines
        </button>
      </div>
      {!isRaw && (
        <button type="button" class="quiet" onClick={search}>
          Search
        </button>
      )}
    </div>
  );
}

function Prompt({ text, title }: { text: string; title: string | null }) {
  return (
    <div class="said prompt">
      <div class="said-head dim">Prompt</div>
      <LongText text={text || title || ""} file="prompt.txt" first={1500} />
    </div>
  );
}

const MARKS: Record<Todo["status"], string> = { pending: "to do", in_progress: "now", completed: "done" };

function Todos({ todos }: { todos: readonly Todo[] }) {
  const done = todos.filter((each) => each.status === "completed").length;
  return (
    <aside class="todos" aria-label="To do">
      <details open={innerWidth > 900}>
        <summary>
          To do: {done} of {todos.length} done
        </summary>
        <ul>
          {todos.slice(0, 200).map((each) => (
            <li key={each.id} class={`todo todo-${each.status}`}>
              <span class="badge">{MARKS[each.status]}</span> <span dir="auto">{visible(each.text)}</span>
            </li>
          ))}
        </ul>
      </details>
    </aside>
  );
}
