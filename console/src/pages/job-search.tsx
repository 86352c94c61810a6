/** The search in a conversation: over all items, also those that are not in the page. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Conversation } from "../conversation/reducer";
import { find } from "../conversation/search";

interface JobSearchProps {
  conversation: Conversation;
  show: (index: number) => void;
  close: () => void;
}

// Milliseconds after a key before the search, and before a search in what is new.
const PAUSE = 150;
const AGAIN = 1000;

export function JobSearch({ conversation, show, close }: JobSearchProps) {
  const [query, setQuery] = useState("");
  const [found, setFound] = useState<number[]>([]);
  const [at, setAt] = useState(-1);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  useEffect(() => {
    setAt(-1);
    const look = () => setFound(find(conversation, query));
    const first = setTimeout(look, PAUSE);
    let seen = conversation.revision;
    const timer = setInterval(() => {
      if (seen === conversation.revision) return;
      seen = conversation.revision;
      look();
    }, AGAIN);
    return () => {
      clearTimeout(first);
      clearInterval(timer);
    };
  }, [query]);

  function step(by: number): void {
    if (found.length === 0) return;
    const next = at < 0 ? (by > 0 ? 0 : found.length - 1) : (at + by + found.length) % found.length;
    setAt(next);
    show(found[next] ?? 0);
  }

  return (
    <form
      class="row job-search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        step(1);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
      }}
    >
      <input
        ref={field}
        type="search"
        aria-label="Search in this job"
        placeholder="Search in this job"
        value={query}
        onInput={(event) => setQuery(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          step(event.shiftKey ? -1 : 1);
        }}
      />
      <span class="dim" role="status">
        {query && (at >= 0 ? `${at + 1} of ${found.length}` : `${found.length} found`)}
      </span>
      <button type="button" disabled={found.length === 0} onClick={() => step(-1)}>
        Previous
      </button>
      <button type="button" disabled={found.length === 0} onClick={() => step(1)}>
        Next
      </button>
      <button type="button" class="quiet" onClick={close}>
        Close
      </button>
    </form>
  );
}
