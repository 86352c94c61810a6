/** The stream of a job, into a conversation: the page is drawn at most once a frame. */

import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { sentence } from "../api/client";
import type { ServerEvent } from "../api/sse";
import { follow } from "../api/stream";
import { Conversation } from "../conversation/reducer";

export interface Feed {
  conversation: Conversation;
  connected: boolean;
  /** Why there is no stream, if trying again does not help. */
  error: string;
  /** The comment about the place in the queue: `2`, or `2 (another job is using this session)`. */
  place: string;
  /** Whether the stream has come to its end. */
  ended: boolean;
}

// What the gateway says at the end of a stream that cannot go on.
const LAST_ERRORS = new Set(["job_not_started", "process_not_found"]);

export function useFeed(id: string, onEnd: () => void): Feed {
  const [conversation] = useState(() => new Conversation());
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const [connected, setConnected] = useState(true);
  const [error, setError] = useState("");
  const [place, setPlace] = useState("");
  const [ended, setEnded] = useState(false);
  const latest = useRef(onEnd);
  latest.current = onEnd;

  useEffect(() => {
    const controller = new AbortController();
    let frame = 0;
    const draw = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        redraw(undefined);
      });
    };
    const take = (events: ServerEvent[]) => {
      conversation.push(linesIn(events));
      setPlace("");
      const problem = events.find((each) => each.event === "error");
      if (problem) setError(lastError(problem));
      draw();
    };
    follow(`/chat/${id}`, {
      signal: controller.signal,
      onEvents: take,
      onConnected: setConnected,
      onComment: (text) => text.startsWith("queued ") && setPlace(text.slice("queued ".length)),
      isLast: (event) => event.event === "done" || lastError(event) !== "",
    })
      .then(() => {
        if (controller.signal.aborted) return;
        conversation.end();
        setEnded(true);
        latest.current();
      })
      .catch((problem: unknown) => {
        if (!controller.signal.aborted) setError(sentence(problem));
      });
    return () => {
      controller.abort();
      cancelAnimationFrame(frame);
    };
  }, [id]);
  return { conversation, connected, error, place, ended };
}

function linesIn(events: ServerEvent[]): string[] {
  return events.filter((each) => each.event === "message").map((each) => each.data);
}

/** The sentence of an error after which the stream does not go on; "" for any other event. */
function lastError(event: ServerEvent): string {
  if (event.event !== "error") return "";
  const { code, error } = JSON.parse(event.data) as { code?: string; error?: string };
  return LAST_ERRORS.has(code ?? "") ? (error ?? "The job could not be started.") : "";
}
