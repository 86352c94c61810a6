/** An event stream by `fetch` that goes on after the last event whenever it breaks. */

import { errorOf, request } from "./client";
import { EventParser, type ServerEvent } from "./sse";

export interface StreamOptions {
  /** Called for all events of one chunk at once; the stream waits until it is done. */
  onEvents: (events: ServerEvent[]) => void;
  /** Text after the colon of a comment, such as `queued 3`. */
  onComment?: (text: string) => void;
  /** `true` when the stream is connected, `false` while it is not. */
  onConnected?: (connected: boolean) => void;
  /** Whether this event is the last one; without it the stream goes on for ever. */
  isLast?: (event: ServerEvent) => boolean;
  /** Resume after this event. */
  lastEventId?: string;
  signal: AbortSignal;
}

// Milliseconds before the first and before all later attempts.
const FIRST_WAIT = 250;
const LONGEST_WAIT = 10_000;
// Milliseconds of silence after which a connection is given up. The gateway sends a comment at
// least every HEARTBEAT (15 s by default).
const LONGEST_SILENCE = 65_000;
// Milliseconds after which a tab that cannot be seen gives its connections back. A browser has six
// of them per address (HTTP/1.1), for all tabs together.
const HIDDEN_PATIENCE = 10_000;

/**
 * Follow a stream until its last event, or until the signal. While the tab is hidden it stands still,
 * and goes on from there when the tab is seen again. Raises ApiError for a response that
 * trying again does not change (any 4xx but 429).
 */
export async function follow(path: string, options: StreamOptions): Promise<void> {
  const parser = new EventParser(options.onComment);
  parser.lastId = options.lastEventId ?? "";
  let wait = FIRST_WAIT;
  while (!options.signal.aborted) {
    await untilSeen(options.signal);
    try {
      const ended = await once(path, parser.lastId, options, (chunk) => {
        wait = FIRST_WAIT;
        return parser.push(chunk);
      });
      if (ended) return;
    } catch (error) {
      if (options.signal.aborted) return;
      if (!mayPass(error)) throw error;
    }
    parser.reset();
    options.onConnected?.(false);
    await pause(wait * (0.5 + Math.random() / 2), options.signal);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
}

async function once(
  path: string,
  lastId: string,
  options: StreamOptions,
  parse: (chunk: string) => ServerEvent[],
): Promise<boolean> {
  const silence = new AbortController();
  const headers: Record<string, string> = { Accept: "text/event-stream" };
  if (lastId !== "") headers["Last-Event-ID"] = lastId;
  const signal = AbortSignal.any([options.signal, silence.signal]);
  let timer = setTimeout(() => silence.abort(), LONGEST_SILENCE);
  const forget = whenHidden(() => silence.abort());
  try {
    const response = await request(path, { headers, signal });
    // No content: everything was read before.
    if (response.status === 204) return true;
    if (response.body === null) throw await errorOf(response);
    options.onConnected?.(true);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), LONGEST_SILENCE);
      const events = parse(value);
      if (events.length > 0) options.onEvents(events);
      if (options.isLast !== undefined && events.some(options.isLast)) return true;
    }
  } finally {
    forget();
    clearTimeout(timer);
    silence.abort();
  }
}

/** Call `action` once the tab has been hidden for a while; returns what stops that. */
function whenHidden(action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(action, HIDDEN_PATIENCE);
  };
  look();
  document.addEventListener("visibilitychange", look);
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}

function untilSeen(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  const done = new AbortController();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      done.abort();
      resolve();
    };
    document.addEventListener("visibilitychange", look, { signal: done.signal });
    signal.addEventListener("abort", look, { signal: done.signal });
  });
}

function mayPass(error: unknown): boolean {
  const status = (error as { status?: unknown }).status;
  return typeof status !== "number" || status === 429 || status >= 500;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
