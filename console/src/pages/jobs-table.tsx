/** The jobs as a table, or as cards on narrow pages. */

import type { Virtualizer } from "@tanstack/virtual-core";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { JobRow } from "../api/types";
import { me } from "../state/session";
import { useMedia } from "../ui/hooks";
import { useKey } from "../ui/keys";
import { VirtualList } from "../ui/virtual-list";
import { JobCard, JobCells } from "./jobs-row";
import { list, loadMore, scrolled } from "./jobs-store";

// Rows before the end of the list at which the next page is asked for.
const AHEAD = 30;

export interface Choosing {
  chosen: ReadonlySet<string>;
  choose: (row: JobRow, on: boolean) => void;
}

export function JobTable({ rows, ...choosing }: Choosing & { rows: JobRow[] }) {
  const scroller = useRef<HTMLDivElement | null>(null);
  const handle = useRef<Virtualizer<HTMLElement, HTMLElement> | null>(null);
  const wide = useMedia("(min-width: 900px)");
  const operator = me.value?.operator ?? false;
  useKeys(rows, handle);
  useLayoutEffect(() => {
    if (scroller.current) scroller.current.scrollTop = scrolled.top;
  }, []);
  const body = (
    <VirtualList
      scroller={scroller}
      handle={handle}
      count={rows.length}
      keyOf={(index) => rows[index]?.process_id ?? index}
      estimate={() => (wide ? 41 : 98)}
      role={wide ? "rowgroup" : "list"}
      onRange={(_, last) => last >= rows.length - AHEAD && loadMore()}
      render={(index) => {
        const row = rows[index];
        if (row === undefined) return null;
        const shown = { row, operator, ...choosing };
        return wide ? <JobCells {...shown} index={index} /> : <JobCard {...shown} />;
      }}
    />
  );
  const { loading, hasMore } = list.value;
  return (
    <div
      class="jobs-scroll"
      ref={scroller}
      onScroll={(event) => {
        scrolled.top = event.currentTarget.scrollTop;
      }}
    >
      {wide ? (
        <div
          role="table"
          aria-label="Jobs"
          aria-rowcount={hasMore ? -1 : rows.length + 1}
          class={operator ? "jobs-table jobs-table-users" : "jobs-table"}
        >
          <Head operator={operator} />
          {body}
        </div>
      ) : (
        body
      )}
      {hasMore && <p class="dim jobs-more">{loading ? "Loading more…" : ""}</p>}
    </div>
  );
}

function Head({ operator }: { operator: boolean }) {
  const names = ["State", "Title", "Folder", "Model", ...(operator ? ["User"] : [])];
  return (
    <div role="rowgroup" class="jobs-headings">
      <div role="row" class="jobs-row" aria-rowindex={1}>
        <span role="columnheader">
          <span class="hidden">Selected</span>
        </span>
        {names.map((name) => (
          <span key={name} role="columnheader">
            {name}
          </span>
        ))}
        {["Started", "Duration", "Cost", "Turns"].map((name) => (
          <span key={name} role="columnheader" class="jobs-number">
            {name}
          </span>
        ))}
      </div>
    </div>
  );
}

type Handle = { current: Virtualizer<HTMLElement, HTMLElement> | null };

/** `j` and `k` move the focus from row to row; Enter opens the link that has it. */
function useKeys(rows: JobRow[], handle: Handle): void {
  function move(by: number): void {
    const focused = document.activeElement?.closest<HTMLElement>("[data-job]")?.dataset["job"];
    const at = rows.findIndex((row) => row.process_id === (focused ?? scrolled.job));
    const index = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by));
    const row = rows[index];
    if (row === undefined) return;
    scrolled.job = row.process_id;
    handle.current?.scrollToIndex(index);
    focusRow(row.process_id, 5);
  }
  useKey("j", "Next job", () => move(1));
  useKey("k", "Previous job", () => move(-1));
}

/** Focus the link of a row, which is in the page some frames after the list has scrolled. */
function focusRow(id: string, frames: number): void {
  const found = document.querySelector<HTMLElement>(`[data-job="${CSS.escape(id)}"] a`);
  if (found) found.focus({ preventScroll: true });
  else if (frames > 0) requestAnimationFrame(() => focusRow(id, frames - 1));
}
