/** A list of which only the rows that can be seen are in the page. */

import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type VirtualizerOptions,
} from "@tanstack/virtual-core";
import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";

type Options = VirtualizerOptions<HTMLElement, HTMLElement>;

export interface VirtualListProps {
  /** The element that scrolls; its height is set by the style sheet. */
  scroller: RefObject<HTMLElement | null>;
  count: number;
  keyOf: (index: number) => string | number;
  /** The height of a row that was never shown, in pixels. */
  estimate: (index: number) => number;
  render: (index: number) => ComponentChildren;
  /** Called at each change of what is seen, with the index of the last row. */
  onRange?: (first: number, last: number) => void;
  /** Gets the virtualizer, to scroll to a row. */
  handle?: RefObject<Virtualizer<HTMLElement, HTMLElement> | null>;
  /** What the list is for screen readers; the rows of a `rowgroup` have roles themselves. */
  role?: "list" | "log" | "rowgroup";
}

export function VirtualList(props: VirtualListProps) {
  const { scroller, count, keyOf, estimate, render, onRange, handle, role = "list" } = props;
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const options: Options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: estimate,
    getItemKey: keyOf,
    overscan: 8,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => redraw(undefined),
  };
  const [virtualizer] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(options));
  virtualizer.setOptions(options);
  if (handle) handle.current = virtualizer;
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  const items = virtualizer.getVirtualItems();
  const [first, last] = [items[0]?.index ?? 0, items.at(-1)?.index ?? -1];
  const seen = useRef("");
  useLayoutEffect(() => {
    const range = `${first} ${last} ${count}`;
    if (seen.current !== range) onRange?.(first, last);
    seen.current = range;
  });
  return (
    <div class="virtual" role={role} style={{ height: `${virtualizer.getTotalSize()}px` }}>
      <div class="virtual-rows" style={{ transform: `translateY(${items[0]?.start ?? 0}px)` }}>
        {items.map((item) => (
          <div
            key={item.key}
            data-index={item.index}
            role={role === "list" ? "listitem" : undefined}
            ref={virtualizer.measureElement}
          >
            {render(item.index)}
          </div>
        ))}
      </div>
    </div>
  );
}
