/** The lines in `lines/` were written by the CLI 2.1.330, whose model was a stand-in. */

import { describe, expect, test } from "vitest";
import type { Item } from "../src/conversation/items";
import { inputOf, outputOf } from "../src/conversation/recall";
import { Conversation } from "../src/conversation/reducer";
import { TodoList } from "../src/conversation/todo-list";
import { find } from "../src/conversation/search";

const recorded = import.meta.glob<string>("./lines/*.ndjson", { query: "?raw", import: "default", eager: true });

function linesOf(name: string): string[] {
  return recorded[`./lines/${name}.ndjson`]?.trimEnd().split("\n") ?? [];
}

function read(lines: string[]): Conversation {
  const conversation = new Conversation();
  conversation.push(lines);
  return conversation;
}

function of<Kind extends Item["kind"]>(conversation: Conversation, kind: Kind) {
  return conversation.items.filter((each) => each.kind === kind) as (Item & { kind: Kind })[];
}

const text = (words: string) =>
  JSON.stringify({ type: "assistant", message: { id: "m", content: [{ type: "text", text: words }] } });

describe("a conversation", () => {
  test("grows word by word, and is the same in the end", () => {
    const lines = linesOf("words");
    const seen: string[] = [];
    const conversation = new Conversation();
    for (const line of lines) {
      conversation.push([line]);
      const now = of(conversation, "text")[0]?.text ?? "";
      if (now !== seen.at(-1)) seen.push(now);
    }
    expect(seen.slice(0, 3)).toEqual(["", "word-0", "word-0 word-1"]);
    expect(of(conversation, "text")).toHaveLength(1);
    expect(of(conversation, "text")[0]).toMatchObject({ text: seen.at(-1), done: true });
    expect(of(conversation, "thinking")[0]).toMatchObject({ text: "Well.", done: true });
    expect(of(conversation, "result")[0]).toMatchObject({ isError: false, repeats: true });
    expect(conversation.items).toEqual(read(lines).items.map((each) => expect.objectContaining({ key: each.key, kind: each.kind })));
  });

  test("is the same without the partial messages", () => {
    const partial = read(linesOf("words"));
    const whole = read(linesOf("words").filter((each) => !each.includes('"stream_event"')));
    const shown = (conversation: Conversation) =>
      conversation.items.map((each) => ("text" in each ? [each.kind, each.text] : [each.kind]));
    expect(shown(partial)).toEqual(shown(whole));
  });

  test("has each call once, with its input, output and time", () => {
    const conversation = read(linesOf("edit"));
    const [first, second] = of(conversation, "tool");
    expect(of(conversation, "tool")).toHaveLength(2);
    expect(first).toMatchObject({ name: "Read", gist: "a.txt", state: "done" });
    expect(second).toMatchObject({ name: "Edit", gist: "a.txt", state: "done" });
    expect(second?.endedAt).toBeGreaterThan(second?.startedAt ?? Infinity);
    expect(second && inputOf(conversation.lines, second)).toMatchObject({ old_string: "two", new_string: "2" });
    expect(second && outputOf(conversation.lines, second).details).toHaveProperty("structuredPatch");
  });

  test("keeps the list of what is to do", () => {
    expect(read(linesOf("tasks")).todos).toEqual([
      { id: "1", text: "First thing", status: "in_progress" },
      { id: "2", text: "Second", status: "pending" },
    ]);
  });

  test("replaces the list of TodoWrite", () => {
    const call = (todos: unknown) =>
      JSON.stringify({
        type: "assistant",
        message: { id: "m", content: [{ type: "tool_use", id: `t${JSON.stringify(todos).length}`, name: "TodoWrite", input: { todos } }] },
      });
    const conversation = read([
      call([{ content: "a", status: "pending" }, { content: "b", status: "bad" }]),
      call([{ content: "a", status: "completed" }]),
    ]);
    expect(conversation.todos).toEqual([{ id: "1", text: "a", status: "completed" }]);
  });

  test("indents what an agent does", () => {
    const conversation = read(linesOf("agent"));
    const calls = of(conversation, "tool").map((each) => [each.name, each.depth, each.agent]);
    expect(calls).toEqual([
      ["Agent", 0, null],
      ["Bash", 1, "Look"],
    ]);
  });

  test("has questions where they were asked", () => {
    const conversation = read(linesOf("ask"));
    expect(of(conversation, "question")).toMatchObject([{ toolName: "Bash", gist: "touch z.txt" }]);
    const asked = linesOf("ask").findIndex((each) => each.includes("can_use_tool"));
    const before = read(linesOf("ask").slice(0, asked + 1));
    expect(of(before, "tool")).toMatchObject([{ state: "asking" }]);
    before.push(linesOf("ask").slice(asked + 1, asked + 3));
    expect(of(before, "tool")).toMatchObject([{ state: "running" }]);
    expect(of(conversation, "message")).toEqual([]);
  });

  test("has messages where the model took them in", () => {
    const conversation = read(linesOf("said"));
    const [message] = of(conversation, "message");
    expect(message).toMatchObject({ state: "completed" });
    const kinds = conversation.items.map((each) => each.kind);
    expect(kinds.indexOf("message")).toBeGreaterThan(kinds.indexOf("tool"));
    expect(conversation.messageState(message?.id ?? "")).toBe("completed");
  });

  test("that was interrupted shows why it ended", () => {
    const conversation = read(linesOf("interrupted"));
    expect(of(conversation, "result")).toMatchObject([{ isError: true, reason: "aborted_streaming" }]);
  });

  test("shows the errors of the API", () => {
    expect(of(read(linesOf("api-error")), "notice")).toMatchObject([{ tone: "error", text: "API Error: 400 bad" }]);
  });

  test("leaves nothing running at its end", () => {
    const conversation = read(linesOf("edit").slice(0, 10));
    conversation.end();
    expect(of(conversation, "tool").map((each) => each.state)).toEqual(["stopped"]);
    expect(of(conversation, "text").every((each) => each.done)).toBe(true);
  });

  test("counts each token once", () => {
    const conversation = new Conversation();
    for (const line of linesOf("edit").filter((each) => !each.includes('"type":"result"'))) conversation.push([line]);
    expect(conversation.tokens.total()).toEqual({ input: 163, output: 28 });
    expect(read(linesOf("edit")).tokens.total()).toEqual({ input: 163, output: 28 });
  });

  test.each(["words", "edit", "tasks", "agent", "ask", "choices", "said", "api-error"])(
    "of %s shows every line but the pieces",
    (name) => {
      const conversation = read(linesOf(name));
      for (let line = 1; line <= conversation.lines.length; line += 1) {
        const item = conversation.items[conversation.itemAt(line)];
        expect(item?.line).toBeLessThanOrEqual(Math.max(line, conversation.items[0]?.line ?? 0));
      }
    },
  );
});

describe("lines that are not JSON", () => {
  test("are one item for many", () => {
    const conversation = read(Array.from({ length: 100 }, (_, at) => `line ${at}`));
    expect(of(conversation, "plain").map((each) => [each.line, each.last])).toEqual([
      [1, 40],
      [41, 80],
      [81, 100],
    ]);
    expect(conversation.itemAt(50)).toBe(1);
  });

  test.each(["[1]", "null", "5", '"x"', "{", '{"a":1', "\u2028"])("such as %s are text", (line) => {
    expect(read([line]).items).toMatchObject([{ kind: "plain" }]);
  });
});

// Nested so deeply that JSON can be read and not written.
const NEST = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
const DEEP = `{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"d","content":[{"x":${NEST}}]}]}}`;

describe("hostile lines", () => {
  const HOSTILE = [
    { type: "assistant" },
    { type: "assistant", message: null },
    { type: "assistant", message: { content: 5 } },
    { type: "assistant", message: { content: [null, 5, "x", [], {}] } },
    { type: "assistant", message: { id: {}, content: [{ type: "text", text: {} }] } },
    { type: "assistant", message: { content: [{ type: "tool_use", id: 5, name: {}, input: [] }] } },
    { type: "assistant", message: { content: [{ type: "tool_use", id: "__proto__", name: "constructor", input: { __proto__: 1 } }] } },
    { type: "user", message: { content: [{ type: "tool_result", tool_use_id: "nowhere", content: {} }] } },
    { type: "user", message: { content: [{ type: "tool_result", tool_use_id: "__proto__", content: [null] }] } },
    { type: "user", parent_tool_use_id: "nowhere", message: { content: "x" } },
    { type: "stream_event" },
    { type: "stream_event", event: { type: "message_start", message: 5 } },
    { type: "stream_event", event: { type: "content_block_delta", index: -1e9, delta: { type: "text_delta", text: "x" } } },
    { type: "result", usage: 5, result: {}, errors: [{}], model_usage_since_last_result: [null], num_turns: "x" },
    { type: "system", subtype: "init", cwd: {} },
    { type: "system", subtype: "api_retry" },
    { type: "system", subtype: { a: 1 } },
    { type: "control_request", request: { subtype: "can_use_tool", tool_name: "AskUserQuestion", input: { questions: 5 } } },
    { type: "command_lifecycle", state: 5 },
    { type: "rate_limit_event", rate_limit_info: "x" },
    { type: {} },
    {},
  ];

  test("break nothing", () => {
    const conversation = new Conversation();
    for (const line of [...HOSTILE, ...HOSTILE]) conversation.push([JSON.stringify(line)]);
    conversation.push([DEEP]);
    conversation.push([text("still there")]);
    expect(of(conversation, "text").at(-1)?.text).toBe("still there");
    for (const tool of of(conversation, "tool")) {
      inputOf(conversation.lines, tool);
      outputOf(conversation.lines, tool);
    }
    find(conversation, "x\u0000");
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test("with a hundred thousand tasks take no more than moments", () => {
    const begin = performance.now();
    const todos = new TodoList();
    for (let at = 0; at < 100_000; at += 1) {
      todos.take("TaskCreate", { subject: "x" }, { task: { id: String(at) } }, "");
      todos.take("TaskUpdate", { taskId: at, status: "completed" }, {}, "");
    }
    expect(todos.todos).toHaveLength(100_000);
    expect(performance.now() - begin).toBeLessThan(10_000);
  });

  test("cannot reopen a call that has ended", () => {
    const call = (command: string) =>
      JSON.stringify({
        type: "assistant",
        message: { id: "m", content: [{ type: "tool_use", id: "t", name: "Bash", input: { command } }] },
      });
    const conversation = read([call("first"), call("second")]);
    expect(of(conversation, "tool")).toMatchObject([{ gist: "first" }]);
  });
});

describe("the search", () => {
  const conversation = read([text("Hello World"), ...linesOf("edit")]);

  test.each([
    ["hello w", ["text"]],
    ["THREE", ["tool", "text", "result"]],
    ["updated successfully", ["tool", "text", "result"]],
    ["nowhere", []],
    ["", []],
  ])("finds %s in any case of letters", (query, kinds) => {
    const found = find(conversation, query).map((at) => conversation.items[at]?.kind);
    expect(new Set(found)).toEqual(new Set(kinds));
  });
});

test("100,000 lines take no more than moments", () => {
  const lines = Array.from({ length: 100_000 }, (_, at) => text(`Text ${at}`));
  const begin = performance.now();
  const conversation = read(lines);
  expect(conversation.items).toHaveLength(100_000);
  expect(find(conversation, "Text 99999")).toEqual([99_999]);
  // A quadratic step would take minutes; a busy machine takes a second or two.
  expect(performance.now() - begin).toBeLessThan(10_000);
});
