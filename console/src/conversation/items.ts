/** What a conversation is made of. An item changes in place; its `revision` counts the changes. */

interface Base {
  /** Stays the same as long as the conversation lives. */
  key: number;
  /** The number of its first line; 1 is the job's first. */
  line: number;
  revision: number;
  /** How many agents it is inside of. */
  depth: number;
  /** What the agent around it does; null for the job itself. */
  agent: string | null;
}

export interface TextItem extends Base {
  kind: "text" | "thinking";
  text: string;
  /** Whether all of it has come. */
  done: boolean;
}

/** A message to the model that was not sent through the gateway: of the CLI, or for an agent. */
export interface UserItem extends Base {
  kind: "user";
  text: string;
}

/** A message that a user has sent to the job. */
export interface MessageItem extends Base {
  kind: "message";
  id: string;
  state: string;
}

export interface ToolItem extends Base {
  kind: "tool";
  id: string;
  name: string;
  gist: string;
  /** The number of the line with its input, and that with its output; 0 without one. */
  inputLine: number;
  outputLine: number;
  state: "writing" | "asking" | "running" | "done" | "failed" | "stopped";
  /** Milliseconds since 1970. */
  startedAt: number | null;
  endedAt: number | null;
}

export interface QuestionItem extends Base {
  kind: "question";
  id: string;
  toolName: string;
  gist: string;
}

/** Words that are neither the model's nor a user's: a retry, a refusal, an error. */
export interface NoticeItem extends Base {
  kind: "notice";
  tone: "error" | "warning" | "plain";
  text: string;
}

/** Lines that are of interest to few: shown as one folded line. */
export interface NotesItem extends Base {
  kind: "notes";
  /** What they are, such as `init`; repeated names once. */
  names: string[];
  lines: number[];
}

/** Lines that are no JSON. */
export interface PlainItem extends Base {
  kind: "plain";
  /** The number of the last one; they are in a row. */
  last: number;
}

export interface ResultItem extends Base {
  kind: "result";
  isError: boolean;
  subtype: string;
  reason: string;
  text: string;
  /** Whether the last text of the model says the same. */
  repeats: boolean;
  costUsd: number | null;
  turns: number | null;
  durationMs: number | null;
}

export type Item =
  | TextItem
  | UserItem
  | MessageItem
  | ToolItem
  | QuestionItem
  | NoticeItem
  | NotesItem
  | PlainItem
  | ResultItem;

/** An item before the conversation has given it its place. */
export type Made = Item extends infer Each
  ? Each extends Item
    ? Omit<Each, "key" | "line" | "revision" | "depth" | "agent">
    : never
  : never;

export interface Todo {
  id: string;
  text: string;
  status: "pending" | "in_progress" | "completed";
}
