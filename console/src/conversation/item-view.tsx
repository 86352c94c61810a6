/** One item of a conversation as it is shown. */

import { memo } from "preact/compat";
import { cost, duration, words, wordsFor } from "../ui/format";
import { LongText } from "../ui/long-text";
import { MarkdownText } from "../ui/markdown-text";
import { Fold } from "./fold";
import type { Item, MessageItem, NotesItem, PlainItem, QuestionItem, ResultItem, TextItem } from "./items";
import { ToolView } from "./tool-view";
import { toolTitle } from "./tool-call";
import { exact, oneLine, visible } from "./visible-text";

/** What the items are parts of. */
export interface Surroundings {
  lines: readonly string[];
  /** The texts of the messages that users have sent, by id. */
  messages: ReadonlyMap<string, { text: string; user: string }>;
  /** What became of the questions, by id. */
  questions: ReadonlyMap<string, string>;
  /** Whether an item was opened or folded by hand, by key. */
  opened: Map<number, boolean>;
  /** The beginning of the names of files that are saved. */
  file: string;
}

interface ItemViewProps {
  item: Item;
  around: Surroundings;
  /** The number of the item's changes: an item changes in place. */
  revision: number;
  now: number;
}

export const ItemView = memo(function ItemView({ item, around, now }: ItemViewProps) {
  switch (item.kind) {
    case "text":
      return <TextView item={item} file={`${around.file}-${item.line}.md`} />;
    case "thinking":
      return (
        <div class="thinking" aria-label="Thinking">
          <TextView item={item} file={`${around.file}-${item.line}.md`} />
        </div>
      );
    case "user":
      return (
        <Fold item={item} around={around} class="quiet-fold" summary={`To Claude: ${oneLine(item.text)}`}>
          <LongText text={item.text} file={`${around.file}-${item.line}.txt`} />
        </Fold>
      );
    case "message":
      return <MessageView item={item} around={around} />;
    case "tool":
      return <ToolView item={item} around={around} now={now} />;
    case "question":
      return <QuestionLine item={item} outcome={around.questions.get(item.id) ?? null} />;
    case "notice":
      return (
        <div class={`notice-line notice-${item.tone}`} dir="auto">
          <LongText text={item.text} file={`${around.file}-${item.line}.txt`} />
        </div>
      );
    case "notes":
      return <NotesView item={item} around={around} />;
    case "plain":
      return <PlainView item={item} around={around} />;
    case "result":
      return <ResultView item={item} file={`${around.file}-result.md`} />;
  }
});

// Characters up to which a text that still grows is set as Markdown at each change.
const MOST_GROWING = 20_000;

function TextView({ item, file }: { item: TextItem; file: string }) {
  if (!item.done && item.text.length > MOST_GROWING) {
    return (
      <pre class="long-text" dir="auto">
        {visible(item.text.slice(-MOST_GROWING))}
      </pre>
    );
  }
  return <MarkdownText text={item.text} file={file} />;
}

const MESSAGE_STATES: Record<string, string> = {
  started: "taken in",
  completed: "answered",
  discarded: "discarded: the job ended before",
};

function MessageView({ item, around }: { item: MessageItem; around: Surroundings }) {
  const known = around.messages.get(item.id);
  return (
    <div class="said">
      <div class="said-head dim">
        {visible(known?.user || "Message")} · {wordsFor(MESSAGE_STATES, item.state)}
      </div>
      {known && <LongText text={known.text} file={`${around.file}-message.txt`} />}
    </div>
  );
}

function QuestionLine({ item, outcome }: { item: QuestionItem; outcome: string | null }) {
  return (
    <div class="asked">
      <span class="badge badge-warning">Question</span>{" "}
      {outcome !== null && <strong>{visible(outcome)} · </strong>}
      {exact(toolTitle(item.toolName))} <span class="mono exact">{exact(item.gist)}</span>
    </div>
  );
}

// Lines of a group that are shown at once.
const MOST_LINES = 50;

function NotesView({ item, around }: { item: NotesItem; around: Surroundings }) {
  const names = item.names.slice(0, 6).map((each) => oneLine(words(each), 40));
  const more = item.names.length > 6 ? ` and ${item.names.length - 6} more` : "";
  const count = item.lines.length > 1 ? ` (${item.lines.length} lines)` : "";
  return (
    <Fold item={item} around={around} class="quiet-fold" summary={`${names.join(", ")}${more}${count}`}>
      {item.lines.slice(0, MOST_LINES).map((line) => (
        <LongText
          key={line}
          text={around.lines[line - 1] ?? ""}
          file={`${around.file}-${line}.json`}
          first={1500}
          isCode
        />
      ))}
      {item.lines.length > MOST_LINES && <p class="dim">The other lines are among the raw lines.</p>}
    </Fold>
  );
}

function PlainView({ item, around }: { item: PlainItem; around: Surroundings }) {
  const lines = around.lines.slice(item.line - 1, item.last);
  return <LongText text={lines.join("\n")} file={`${around.file}-${item.line}.txt`} first={6000} />;
}

function ResultView({ item, file }: { item: ResultItem; file: string }) {
  const facts = [
    item.durationMs !== null && duration(item.durationMs),
    item.turns !== null && `${item.turns} ${item.turns === 1 ? "step" : "steps"}`,
    cost(item.costUsd),
  ].filter(Boolean);
  const isStopped = item.reason.startsWith("aborted");
  const isError = item.isError && !isStopped;
  const title = isStopped ? "Interrupted" : isError ? "Ended with an error" : "Result";
  const why = isStopped || item.reason === "completed" ? "" : item.reason || (isError ? item.subtype : "");
  return (
    <div class={isError ? "result result-error" : "result"}>
      <div class="result-head">
        <strong>{title}</strong>
        {why && ` · ${oneLine(words(why), 60)}`}
        {facts.length > 0 && <span class="dim"> · {facts.join(" · ")}</span>}
      </div>
      {item.text && !item.repeats && !isStopped && <MarkdownText text={item.text} file={file} />}
    </div>
  );
}
