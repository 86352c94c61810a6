/** One line that opens. What was opened stays so when the list takes it out of the page. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Item } from "./items";
import type { Surroundings } from "./item-view";

interface FoldProps {
  item: Item;
  around: Surroundings;
  summary: ComponentChildren;
  children: ComponentChildren;
  class?: string;
  /** Whether it is open as long as the reader has not touched it. */
  isOpen?: boolean;
}

export function Fold({ item, around, summary, children, class: name = "", isOpen = false }: FoldProps) {
  const [, redraw] = useState(0);
  const open = around.opened.get(item.key) ?? isOpen;
  return (
    <div class={`fold ${name}`}>
      <button
        type="button"
        class="fold-line"
        aria-expanded={open}
        onClick={() => {
          around.opened.set(item.key, !open);
          redraw((n) => n + 1);
        }}
      >
        <span class="fold-mark" aria-hidden="true">
          {open ? "▾" : "▸"}
        </span>
        <span class="fold-summary">{summary}</span>
      </button>
      {open && <div class="fold-content">{children}</div>}
    </div>
  );
}
