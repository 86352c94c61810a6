/** The raw lines of a job, and their download. */

import type { Virtualizer } from "@tanstack/virtual-core";
import { useEffect, useRef, useState } from "preact/hooks";
import { request } from "../api/client";
import { exact } from "../conversation/visible-text";
import { bytes } from "../ui/format";
import { save, saveText } from "../ui/save";
import { attempt } from "../ui/toast";
import { VirtualList } from "../ui/virtual-list";

// Characters of a line that are shown before it is opened, and after.
const FIRST = 400;
const MOST = 20_000;

interface JobRawProps {
  id: string;
  lines: readonly string[];
  ended: boolean;
  /** The number of the line to show; null for the end. */
  line: number | null;
}

export function JobRaw({ id, lines, ended, line }: JobRawProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useRef<Virtualizer<HTMLElement, HTMLElement>>(null);
  const opened = useRef(new Set<number>());
  const [, redraw] = useState(0);
  const isThere = line !== null && lines.length >= line;
  useEffect(() => {
    if (line !== null && isThere) virtualizer.current?.scrollToIndex(line - 1, { align: "center" });
  }, [line, isThere]);
  return (
    <>
      <p class="row job-raw-head">
        <span class="dim">{lines.length.toLocaleString("en")} lines</span>
        <button type="button" disabled={lines.length === 0} onClick={() => void attempt(() => download(id, lines, ended))}>
          Download
        </button>
      </p>
      <div class="job-raw mono" ref={scroller} tabIndex={0} role="region" aria-label="Raw lines">
        <VirtualList
          scroller={scroller}
          handle={virtualizer}
          count={lines.length}
          keyOf={(index) => index}
          estimate={(index) => 24 + 18 * Math.floor(Math.min(lines[index]?.length ?? 0, FIRST) / 130)}
          render={(index) => (
            <RawLine
              number={index + 1}
              text={lines[index] ?? ""}
              isMarked={line === index + 1}
              isOpen={opened.current.has(index)}
              file={`job-${id}-line-${index + 1}.txt`}
              open={() => {
                opened.current.add(index);
                redraw((n) => n + 1);
              }}
            />
          )}
        />
      </div>
    </>
  );
}

interface RawLineProps {
  number: number;
  text: string;
  isMarked: boolean;
  isOpen: boolean;
  file: string;
  open: () => void;
}

function RawLine({ number, text, isMarked, isOpen, file, open }: RawLineProps) {
  const shown = text.slice(0, isOpen ? MOST : FIRST);
  return (
    <div class={isMarked ? "raw-line item-marked" : "raw-line"}>
      <span class="raw-number dim">{number}</span>
      <span class="raw-text">
        <span class="exact">{exact(shown)}</span>
        {text.length > shown.length && (
          <>
            {"… "}
            {!isOpen && (
              <button type="button" onClick={open}>
                Open
              </button>
            )}{" "}
            {text.length > MOST && (
              <button type="button" onClick={() => saveText(text, file)}>
                Download ({bytes(text.length)})
              </button>
            )}
          </>
        )}
      </span>
    </div>
  );
}

/** The bytes of a job that has ended, as the CLI wrote them; of a running one, the lines so far. */
async function download(id: string, lines: readonly string[], ended: boolean): Promise<void> {
  const name = `job-${id}.ndjson`;
  if (!ended) {
    save(new Blob([...lines].map((each) => `${each}\n`), { type: "application/x-ndjson" }), name);
    return;
  }
  const response = await request(`/chat/${id}`, { headers: { Accept: "application/x-ndjson" } });
  save(await response.blob(), name);
}
