/** The entries of a CLI's transcript as a conversation. */

import { useMemo, useRef } from "preact/hooks";
import "../conversation/conversation.css";
import { asJson } from "../conversation/fields";
import { ItemView, type Surroundings } from "../conversation/item-view";
import type { Item } from "../conversation/items";
import { Conversation } from "../conversation/reducer";
import { LongText } from "./long-text";

type Entry = Record<string, unknown>;

/** Whether an entry is part of what people read; others are notes of the CLI to itself. */
export function isSpoken(entry: Entry): boolean {
  const isMessage = entry.type === "user" || entry.type === "assistant" || entry.type === "cut";
  return isMessage && entry.isMeta !== true && entry.isSidechain !== true;
}

interface TranscriptProps {
  entries: Entry[];
  /** The session's folder; files in it are shown without it. */
  cwd: string;
  /** The beginning of the names of files that are saved. */
  file: string;
}

export function Transcript({ entries, cwd, file }: TranscriptProps) {
  const opened = useRef(new Map<number, boolean>());
  const conversation = useMemo(() => {
    const made = new Conversation();
    made.cwd = cwd;
    made.push(entries.filter(isSpoken).map((entry) => asJson(entry, 0)));
    made.end();
    // Older entries that were loaded come before these, so the keys are others.
    opened.current = new Map();
    return made;
  }, [entries, cwd]);
  const around: Surroundings = {
    lines: conversation.lines,
    messages: new Map(),
    questions: new Map(),
    opened: opened.current,
    file,
  };
  return (
    <div class="transcript">
      {conversation.items.map((item) => (
        <div key={item.key} class={`item item-${item.kind} item-depth-${Math.min(item.depth, 4)}`}>
          <div class="item-content">
            <EntryView item={item} around={around} />
          </div>
        </div>
      ))}
    </div>
  );
}

function EntryView({ item, around }: { item: Item; around: Surroundings }) {
  if (item.kind !== "user") {
    return <ItemView item={item} around={around} revision={item.revision} now={0} />;
  }
  return (
    <div class="said">
      <div class="said-head dim">Prompt</div>
      <LongText text={item.text} file={`${around.file}-${item.line}.txt`} first={3000} />
    </div>
  );
}
