/** From the lines of a job to the items of its conversation. Pure: no clock, no network, no page. */

import { asFields, asNumber, asText, asTime, blocksOf, parsed, textOf, type Fields } from "./fields";
import { ItemList, touch } from "./item-list";
import type { MessageItem, TextItem, Todo, ToolItem } from "./items";
import { noticeOf, QUIET } from "./notices";
import { Partials } from "./partials";
import { inputOf } from "./recall";
import { resultOf } from "./result";
import { TODO_TOOLS, TodoList } from "./todo-list";
import { Tokens } from "./tokens";
import { AGENTS, gistOf } from "./tool-call";

const ENDINGS = new Set(["completed", "cancelled", "discarded"]);

export class Conversation extends ItemList {
  readonly tokens = new Tokens();
  /** The job's folder, from its first line. */
  cwd = "";
  /** Grows with each change. */
  revision = 0;

  readonly #todos = new TodoList();
  readonly #tools = new Map<string, ToolItem>();
  readonly #messages = new Map<string, MessageItem>();
  readonly #partials = new Partials();
  readonly #running = new Set<ToolItem>();
  #promptId: string | null = null;
  #lastText = "";

  get todos(): readonly Todo[] {
    return this.#todos.todos;
  }

  push(lines: readonly string[]): void {
    for (const line of lines) this.#take(line);
    this.revision += 1;
  }

  /** What the lines say about a message that was sent to the job; null before they name it. */
  messageState(id: string): string | null {
    return this.#messages.get(id)?.state ?? null;
  }

  /** The job has ended: what has not ended by now never does. */
  end(): void {
    for (const item of this.#partials.end()) touch(item, { done: true });
    for (const tool of this.#running) touch(tool, { state: "stopped" });
    this.#running.clear();
    this.revision += 1;
  }

  #take(line: string): void {
    this.begin(line);
    const fields = parsed(line);
    if (fields === null) {
      this.plain();
      return;
    }
    try {
      this.#read(fields);
    } catch {
      // A line that breaks this reader must not end the stream.
      this.plain();
    }
  }

  #read(fields: Fields): void {
    this.#enter(fields);
    switch (fields.type) {
      case "stream_event":
        return this.#streamEvent(fields);
      case "assistant":
        return this.#assistant(fields);
      case "user":
        return this.#user(fields);
      case "result":
        return this.#result(fields);
      case "command_lifecycle":
        return this.#lifecycle(fields);
      case "control_request":
        return this.#controlRequest(fields);
      default:
        return this.#other(fields);
    }
  }

  /** Whether the line is of the job, or of an agent that it has called. */
  #enter(fields: Fields): void {
    const parent = asText(fields.parent_tool_use_id);
    const caller = this.#tools.get(parent);
    this.depth = parent === "" ? 0 : (caller?.depth ?? 0) + 1;
    this.agent = parent === "" ? null : caller?.gist || asText(fields.task_description) || "Agent";
  }

  #streamEvent(fields: Fields): void {
    const event = asFields(fields.event);
    const parent = asText(fields.parent_tool_use_id);
    if (event.type === "message_start") {
      const message = asFields(event.message);
      this.#partials.begin(parent, asText(message.id));
      this.tokens.take(asText(message.id), asFields(message.usage));
      return;
    }
    const open = this.#partials.of(parent);
    if (open === null) return;
    const index = asNumber(event.index) ?? 0;
    if (event.type === "content_block_start") {
      const block = asFields(event.content_block);
      if (block.type === "tool_use") this.#call(block, "writing");
    } else if (event.type === "content_block_delta") {
      const delta = asFields(event.delta);
      const text = asText(delta.text) || asText(delta.thinking);
      if (text === "") return;
      const found = open.items.get(index);
      if (found === undefined) {
        const kind = delta.type === "thinking_delta" ? "thinking" : "text";
        open.items.set(index, this.add({ kind, text, done: false }));
      } else {
        found.text += text;
        found.revision += 1;
        this.belongs(found);
      }
    } else if (event.type === "message_delta") {
      this.tokens.take(open.messageId, asFields(event.usage));
    }
  }

  #assistant(fields: Fields): void {
    const message = asFields(fields.message);
    const id = asText(message.id);
    this.tokens.take(id, asFields(message.usage));
    for (const block of blocksOf(message.content)) {
      const text = asText(block.text) || asText(block.thinking);
      if (block.type === "tool_use" || block.type === "server_tool_use") {
        this.#call(block, "running", asTime(fields.timestamp));
      } else if (typeof fields.error === "string") {
        this.notice({ tone: "error", text });
      } else if (block.type === "text" || block.type === "thinking") {
        this.#say(block.type, text, this.#partials.next(asText(fields.parent_tool_use_id), id, block.type));
      } else {
        this.notes(asText(block.type) || "assistant");
      }
    }
  }

  #say(kind: TextItem["kind"], text: string, open: TextItem | null): void {
    if (open !== null) {
      touch(open, { text: text || open.text, done: true });
      this.belongs(open);
    } else if (text !== "") {
      this.add({ kind, text, done: true });
    }
    if (kind === "text" && this.depth === 0) this.#lastText = text;
  }

  #call(block: Fields, state: ToolItem["state"], startedAt: number | null = null): void {
    const [id, name] = [asText(block.id), asText(block.name)];
    const input = asFields(block.input);
    const known = this.#tools.get(id);
    const gist = gistOf(name, input, this.cwd);
    const isWhole = state === "running";
    if (known !== undefined) {
      // Only what was being written can change: a line cannot reopen a call that has ended.
      if (known.state !== "writing") return;
      touch(known, { gist, state, startedAt, inputLine: this.lines.length });
      this.belongs(known);
    } else {
      const inputLine = isWhole ? this.lines.length : 0;
      const made = { kind: "tool", id, name, gist, inputLine, outputLine: 0, state } as const;
      const tool = this.add({ ...made, startedAt, endedAt: null });
      this.#tools.set(id, tool);
      this.#running.add(tool);
    }
    if (isWhole && name === "TodoWrite") this.#todos.take(name, input, null, "");
  }

  #user(fields: Fields): void {
    const message = asFields(fields.message);
    if (fields.isReplay === true) {
      this.notes("replay");
      return;
    }
    for (const block of blocksOf(message.content)) {
      if (block.type === "tool_result") this.#returned(block, fields);
      else if (asText(block.text) !== "") this.add({ kind: "user", text: asText(block.text) });
      else this.notes("user");
    }
  }

  #returned(block: Fields, fields: Fields): void {
    const id = asText(block.tool_use_id);
    if (!this.#tools.has(id)) this.#call({ id, name: "Tool" }, "writing");
    const tool = this.#tools.get(id);
    if (tool === undefined) return;
    const state = block.is_error === true ? "failed" : "done";
    touch(tool, { state, outputLine: this.lines.length, endedAt: asTime(fields.timestamp) });
    this.#running.delete(tool);
    this.belongs(tool);
    if (TODO_TOOLS.has(tool.name) && tool.name !== "TodoWrite" && state === "done") {
      const input = inputOf(this.lines, tool);
      this.#todos.take(tool.name, input, fields.tool_use_result, textOf(block.content));
    }
  }

  #result(fields: Fields): void {
    this.depth = 0;
    this.agent = null;
    this.tokens.close(asFields(fields.usage));
    this.add(resultOf(fields, this.#lastText));
    this.#lastText = "";
  }

  #lifecycle(fields: Fields): void {
    const id = asText(fields.command_uuid);
    const state = asText(fields.state);
    // The first one is the prompt's.
    this.#promptId ??= id;
    const known = this.#messages.get(id);
    if (id === this.#promptId) return;
    if (known !== undefined) {
      touch(known, { state });
      this.belongs(known);
    } else if (state === "started" || ENDINGS.has(state)) {
      this.#messages.set(id, this.add({ kind: "message", id, state }));
    }
  }

  #controlRequest(fields: Fields): void {
    const request = asFields(fields.request);
    if (request.subtype !== "can_use_tool") {
      this.notes(asText(request.subtype) || "control_request");
      return;
    }
    const name = asText(request.tool_name);
    const gist = gistOf(name, asFields(request.input), this.cwd);
    this.add({ kind: "question", id: asText(fields.request_id), toolName: name, gist });
    const tool = this.#tools.get(asText(request.tool_use_id));
    if (tool?.state === "running") touch(tool, { state: "asking" });
  }

  #other(fields: Fields): void {
    const name = asText(fields.subtype) || asText(fields.type) || "line";
    if (fields.type === "system" && fields.subtype === "init") {
      this.cwd ||= asText(fields.cwd);
    }
    if (name === "session_state_changed" && fields.state === "running") {
      for (const each of this.#running) if (each.state === "asking") touch(each, { state: "running" });
    }
    const tool = this.#tools.get(asText(fields.tool_use_id));
    if (tool !== undefined && AGENTS.has(tool.name)) {
      // What the CLI reports of an agent stands among the agent's lines.
      this.depth = tool.depth + 1;
      this.agent = tool.gist || "Agent";
    }
    const notice = noticeOf(fields, tool);
    if (notice !== null) this.notice(notice);
    else if (!QUIET.has(name)) this.notes(name);
  }
}
