/** The items of a conversation in a list that follows what comes. */

import type { Virtualizer } from "@tanstack/virtual-core";
import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Guard } from "../ui/guard";
import { VirtualList } from "../ui/virtual-list";
import { ItemView, type Surroundings } from "./item-view";
import type { Item } from "./items";
import type { Conversation } from "./reducer";
import { exact } from "./visible-text";
import "./conversation.css";

export interface ConversationHandle {
  /** Scroll to an item, and stop following. */
  show: (index: number) => void;
}

interface ConversationViewProps {
  conversation: Conversation;
  around: Surroundings;
  /** The time, as long as the job runs. */
  now: number;
  /** Shown before the items, and after them. */
  first: ComponentChildren;
  last: ComponentChildren;
  following: boolean;
  setFollowing: (following: boolean) => void;
  /** The item that is looked at: linked, or found. */
  marked: number | null;
  linkTo: (line: number) => string;
  handle: RefObject<ConversationHandle | null>;
}

export function ConversationView(props: ConversationViewProps) {
  const { conversation, around, now, first, last, marked, linkTo, handle } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useRef<Virtualizer<HTMLElement, HTMLElement>>(null);
  const { items } = conversation;
  useFollow(scroller, props.following, props.setFollowing);
  handle.current = {
    show: (index) => {
      props.setFollowing(false);
      virtualizer.current?.scrollToIndex(index + 1, { align: "center" });
    },
  };
  return (
    <div
      class="conversation"
      ref={scroller}
      tabIndex={0}
      role="region"
      aria-label="Conversation"
    >
      <VirtualList
        scroller={scroller}
        handle={virtualizer}
        count={items.length + 2}
        keyOf={(index) => index - 1}
        estimate={(index) => heightOf(items[index - 1])}
        render={(index) => {
          if (index === 0) return first;
          const item = items[index - 1];
          if (item === undefined) return last;
          return (
            <Row item={item} isMarked={marked === item.key} before={items[index - 2]} href={linkTo(item.line)}>
              <ItemView item={item} around={around} revision={item.revision} now={isTicking(item) ? now : 0} />
            </Row>
          );
        }}
      />
    </div>
  );
}

interface RowProps {
  item: Item;
  before: Item | undefined;
  isMarked: boolean;
  href: string;
  children: ComponentChildren;
}

function Row({ item, before, isMarked, href, children }: RowProps) {
  const depth = Math.min(item.depth, 4);
  const isNewAgent = item.agent !== null && before?.agent !== item.agent;
  return (
    <div class={`item item-${item.kind} item-depth-${depth}${isMarked ? " item-marked" : ""}`}>
      <a class="item-link" href={href} aria-label={`Link to line ${item.line}`}>
        {item.line}
      </a>
      <div class="item-content">
        {isNewAgent && <div class="agent-name dim">{exact(item.agent ?? "")}</div>}
        <Guard otherwise="This cannot be shown; see the raw lines.">{children}</Guard>
      </div>
    </div>
  );
}

function isTicking(item: Item): boolean {
  return item.kind === "tool" && item.state === "running";
}

/** The height that an item which was never shown probably has. */
function heightOf(item: Item | undefined): number {
  switch (item?.kind) {
    case undefined:
      return 100;
    case "text":
    case "thinking":
      return 30 + 23 * Math.ceil(Math.min(item.text.length, 4000) / 90);
    case "plain":
      return 8 + 20 * (item.last - item.line + 1);
    case "result":
      return 90;
    default:
      return 40;
  }
}

// Pixels from the end that still are the end.
const NEAR = 24;

/** Stay at the end while following; scrolling up stops it, and scrolling to the end begins it. */
function useFollow(
  scroller: RefObject<HTMLElement | null>,
  following: boolean,
  setFollowing: (following: boolean) => void,
): void {
  const isFollowing = useRef(following);
  isFollowing.current = following;
  useLayoutEffect(() => {
    if (following) toEnd(scroller.current);
  });
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    let [top, height] = [element.scrollTop, element.scrollHeight];
    const grown = new ResizeObserver(() => {
      if (isFollowing.current) toEnd(element);
    });
    grown.observe(element);
    if (element.firstElementChild) grown.observe(element.firstElementChild);
    const onScroll = () => {
      const distance = element.scrollHeight - element.scrollTop - element.clientHeight;
      // Rows that turn out lower than estimated move the page up, too.
      const wentUp = element.scrollTop < top - 2 && element.scrollHeight >= height;
      if (isFollowing.current && wentUp && distance > NEAR) setFollowing(false);
      else if (!isFollowing.current && element.scrollTop > top && distance <= 2) setFollowing(true);
      [top, height] = [element.scrollTop, element.scrollHeight];
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      grown.disconnect();
      element.removeEventListener("scroll", onScroll);
    };
  }, []);
}

function toEnd(element: HTMLElement | null): void {
  if (element !== null) element.scrollTop = element.scrollHeight;
}
