/** The body of POST /chat for what the form holds. Pure. */

import { type Field, fieldOf, valueOf } from "./start-fields";

export interface Preset {
  name: string;
  title: string;
  explanation: string;
  fields: Record<string, unknown>;
}

/**
 * What a job may do. All of them have `ask`, so that the job can be talked to while it runs; in the
 * modes `dontAsk` and `bypassPermissions` the CLI asks for no permission.
 */
export const PRESETS: Preset[] = [
  {
    name: "ask",
    title: "Ask me",
    explanation: "It reads the folder. It asks here before it changes anything.",
    fields: { ask: true },
  },
  {
    name: "read",
    title: "Read only",
    explanation: "It reads and searches the folder. Everything else is denied.",
    fields: { ask: true, tools: ["Read", "Glob", "Grep"], permission_mode: "dontAsk" },
  },
  {
    name: "edits",
    title: "Edits",
    explanation: "It changes files in the folder without asking. It asks before it does more.",
    fields: { ask: true, permission_mode: "acceptEdits" },
  },
  {
    name: "everything",
    title: "Everything",
    explanation: "It runs any command and changes any file, without asking.",
    fields: { ask: true, permission_mode: "bypassPermissions" },
  },
];

export interface Form {
  prompt: string;
  cwd: string;
  model: string;
  title: string;
  /** A duration such as `5m`; "" leaves the choice to the gateway. */
  keep_alive: string;
  detach: boolean;
  /** The name of a preset. */
  preset: string;
  /** What was typed into the other fields, by name. */
  others: Record<string, string>;
}

export const EMPTY: Form = {
  prompt: "",
  cwd: "",
  model: "",
  title: "",
  keep_alive: "",
  detach: true,
  preset: "ask",
  // Without it, the answer is shown only when a whole message of the model is there.
  others: { include_partial_messages: "true" },
};

/** Fields that have a place of their own in the form. */
export const OWN = ["prompt", "cwd", "model", "title", "keep_alive", "detach"];

// A field of a link, or set at first, before the description of the API is there.
const UNDESCRIBED = fieldOf("", { anyOf: [{ type: "string", maxLength: 200 }, { type: "boolean" }] });

export interface Body {
  body: Record<string, unknown>;
  /** A sentence for each field that cannot be sent, by name. */
  problems: Record<string, string>;
}

export function bodyOf(form: Form, fields: readonly Field[]): Body {
  const preset = PRESETS.find((each) => each.name === form.preset);
  const body: Record<string, unknown> = { prompt: form.prompt, cwd: form.cwd.trim() };
  const problems: Record<string, string> = {};
  if (form.prompt.trim() === "") problems["prompt"] = "Write what Claude should do.";
  if (form.cwd.trim() === "") problems["cwd"] = "Choose the folder in which Claude works.";
  else if (!form.cwd.trim().startsWith("/")) {
    problems["cwd"] = "This must be a full path, which begins with a slash.";
  }
  if (form.model.trim() !== "") body["model"] = form.model.trim();
  if (form.title.trim() !== "") body["title"] = form.title.trim();
  Object.assign(body, preset?.fields);
  const keep = form.keep_alive.trim();
  if (keep !== "") body["keep_alive"] = /^-?\d+$/.test(keep) ? Number(keep) : keep;
  if (form.detach) body["detach"] = true;
  for (const [name, typed] of Object.entries(form.others)) {
    try {
      const value = valueOf(fields.find((each) => each.name === name) ?? UNDESCRIBED, typed);
      if (value !== undefined) body[name] = value;
    } catch (error) {
      problems[name] = (error as Error).message;
    }
  }
  return { body, problems };
}

/** The form for a link of another page: `?session=<id>&cwd=<path>&fork=1`. */
export function withLink(form: Form, query: URLSearchParams): Form {
  const session = query.get("session");
  const others = { ...form.others };
  delete others["session_id"];
  delete others["fork_session"];
  if (session) others["session_id"] = session;
  if (session && query.get("fork") === "1") others["fork_session"] = "true";
  return {
    ...form,
    others,
    cwd: query.get("cwd") ?? form.cwd,
    prompt: query.get("prompt") ?? form.prompt,
    // What a link wrote is not what the rights were chosen for.
    preset: query.has("prompt") ? EMPTY.preset : form.preset,
    model: query.get("model") ?? form.model,
  };
}
