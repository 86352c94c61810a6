/** What changes while the page is open: one stream of GET /events for the whole tab. */

import { signal } from "@preact/signals";
import { get, sentence } from "../api/client";
import type { ServerEvent } from "../api/sse";
import { follow } from "../api/stream";
import type { JobRow, Question, RunRow } from "../api/types";

/** Whether events arrive now. */
export const connected = signal(true);
/** Why there are no events, if trying again does not help. */
export const liveError = signal("");
/** The open questions of the user's jobs, the oldest first. */
export const questions = signal<Question[]>([]);

export interface LiveListener {
  onJobs?: (rows: JobRow[]) => void;
  onRuns?: (rows: RunRow[]) => void;
  /** Events are missing: fetch the lists again. */
  onReset?: () => void;
  /** The first connection: what changed while it was made is in no event. */
  onOpen?: () => void;
}

const listeners = new Set<LiveListener>();
let controller: AbortController | null = null;

/** Listen until the returned function is called. */
export function listen(listener: LiveListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Follow the events until `stop`. */
export function start(): void {
  stop();
  controller = new AbortController();
  const { signal } = controller;
  let wasConnected = false;
  follow("/events", {
    signal,
    onEvents: take,
    onConnected: (now) => {
      if (now && !wasConnected) {
        // What happened before the first connection is in the lists.
        void loadQuestions();
        for (const each of listeners) each.onOpen?.();
      }
      wasConnected ||= now;
      connected.value = now;
    },
  }).catch((error: unknown) => {
    if (!signal.aborted) liveError.value = sentence(error);
  });
}

export function stop(): void {
  controller?.abort();
  controller = null;
  questions.value = [];
  liveError.value = "";
}

export async function loadQuestions(): Promise<void> {
  const signal = controller?.signal;
  try {
    const found = await get<{ questions: Question[] }>("/questions", {}, signal);
    // The answer to a user who has signed out is not for the next one.
    if (!signal?.aborted) questions.value = found.questions;
  } catch {
    // The stream of events shows that the gateway cannot be reached.
  }
}

function take(events: ServerEvent[]): void {
  const jobs: JobRow[] = [];
  const runs: RunRow[] = [];
  for (const { event, data } of events) {
    if (event === "reset") {
      void loadQuestions();
      for (const each of listeners) each.onReset?.();
      continue;
    }
    const value = JSON.parse(data) as unknown;
    if (event === "job") jobs.push(value as JobRow);
    else if (event === "run") runs.push(value as RunRow);
    else if (event === "question") open(value as Question);
    else if (event === "question_closed") close((value as Question).question_id);
  }
  for (const each of listeners) {
    if (jobs.length > 0) each.onJobs?.(jobs);
    if (runs.length > 0) each.onRuns?.(runs);
  }
}

function open(question: Question): void {
  const others = questions.value.filter((each) => each.question_id !== question.question_id);
  questions.value = [...others, question];
}

function close(id: string): void {
  questions.value = questions.value.filter((each) => each.question_id !== id);
}
