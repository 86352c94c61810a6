// @vitest-environment jsdom
/** Lines as a job may write them: any value at any place. */

import { expect, test } from "vitest";
import { asJson } from "../src/conversation/fields";
import { inputOf, outputOf } from "../src/conversation/recall";
import { Conversation } from "../src/conversation/reducer";
import { find } from "../src/conversation/search";
import { questionsOf } from "../src/conversation/tool-call";
import { editsOf, reportedDiff } from "../src/ui/line-diff";
import { askedIn } from "../src/ui/question-choices";
import { grantsOf } from "../src/ui/question-grants";
import { othersOf } from "../src/ui/question-input";
import { wordsFor } from "../src/ui/format";

const recorded = import.meta.glob<string>("./lines/*.ndjson", { query: "?raw", import: "default", eager: true });
const LINES = Object.values(recorded).flatMap((each) => each.trimEnd().split("\n"));

// JSON in which no value is what a reader hopes for.
const ODD = [
  ...["null", "true", "5", "-1e308", '""', '"__proto__"', '"constructor"', "[]", "[null]", "{}"],
  ...['{"__proto__":{"x":1}}', '{"toString":1,"valueOf":1}', '[{"toString":null}]', '"\\u202e\\u001b[31m"'],
];

/** The same line with one of its values replaced, for each of its values. */
function* changed(line: string, turn: number): Generator<string> {
  const places: [Record<string, unknown>, string][] = [];
  const whole = JSON.parse(line) as Record<string, unknown>;
  const walk = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    for (const name of Object.keys(value)) {
      places.push([value as Record<string, unknown>, name]);
      walk((value as Record<string, unknown>)[name]);
    }
  };
  walk(whole);
  for (const [at, [holder, name]] of places.entries()) {
    const before = holder[name];
    holder[name] = JSON.parse(ODD[(at + turn) % ODD.length] ?? "null");
    yield JSON.stringify(whole);
    holder[name] = before;
  }
}

test.each(LINES.filter((line, at) => line.startsWith("{") && line.length < 20_000 && at % 3 === 0))(
  "a line with any odd value is read (%#)",
  (line) => {
    const turn = line.length;
    const conversation = new Conversation();
    for (const odd of changed(line, turn)) {
      conversation.push([line, odd, line]);
      const said = asRequest(odd);
      if (said) grantsOf(said, "ls");
    }
    conversation.end();
    find(conversation, "no such text");
    for (const item of conversation.items) {
      if (item.kind !== "tool") continue;
      const { details } = outputOf(conversation.lines, item);
      const input = inputOf(conversation.lines, item);
      questionsOf(item.name, input);
      editsOf(item.name, input);
      reportedDiff(details);
    }
    expect(conversation.itemAt(1)).toBeGreaterThanOrEqual(-1);
  },
);

function asRequest(line: string): unknown[] | null {
  const request = (JSON.parse(line) as { request?: { permission_suggestions?: unknown } }).request;
  const found = request?.permission_suggestions;
  return Array.isArray(found) ? found : null;
}

test("values that have no text of their own are no error", () => {
  const odd = { toString: 1, valueOf: 1 };
  const call = (name: string, id: string, input: unknown) =>
    JSON.stringify({ type: "assistant", message: { content: [{ type: "tool_use", id, name, input }] } });
  const back = (id: string, fields = {}) =>
    JSON.stringify({ type: "user", message: { content: [{ type: "tool_result", tool_use_id: id }] }, ...fields });
  const conversation = new Conversation();
  conversation.push([
    call("TaskUpdate", "1", { taskId: odd, status: odd, subject: odd }),
    back("1"),
    call("TaskList", "2", {}),
    back("2", { tool_use_result: { tasks: [odd, null] } }),
  ]);
  expect(conversation.items).toHaveLength(2);
  expect(grantsOf([{ type: "addDirectories", directories: [odd] }])).toEqual(["work in "]);
});

test("a name of every object is no word of a table", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    expect(wordsFor({ started: "taken in" }, name)).toBe(name.replaceAll("_", " "));
  }
  expect(wordsFor({ started: "taken in" }, "started")).toBe("taken in");
});

test("JSON that is nested too deeply to be written has words instead", () => {
  const deep = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`) as unknown;
  expect(asJson({ deep })).toContain("too deeply");
  expect(asJson({ a: 1 }, 0)).toBe('{"a":1}');
  const deepJson = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
  const conversation = new Conversation();
  conversation.push([
    '{"type":"assistant","message":{"content":[{"type":"tool_use","id":"d","name":"X"}]}}',
    `{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"d","content":[${deepJson}, {"x":${deepJson}}]}]}}`,
    `{"type":"result","errors":[${deepJson}]}`,
  ]);
  const [tool, result] = conversation.items;
  expect(tool?.kind === "tool" && outputOf(conversation.lines, tool).text).toContain("too deeply");
  expect(result).toMatchObject({ kind: "result", text: expect.stringContaining("too deeply") as string });
});

test("a hundred thousand tasks and blocks take no minutes", () => {
  const conversation = new Conversation();
  const lines = ['{"type":"stream_event","event":{"type":"message_start","message":{"id":"m"}}}'];
  for (let at = 0; at < 30_000; at += 1) {
    lines.push(`{"type":"stream_event","event":{"type":"content_block_delta","index":${at},"delta":{"text":"x"}}}`);
  }
  for (let at = 0; at < 30_000; at += 1) {
    lines.push('{"type":"assistant","message":{"id":"m","content":[{"type":"text","text":"x"}]}}');
    lines.push(`{"type":"assistant","message":{"content":[{"type":"tool_use","id":"t${at}","name":"TaskCreate","input":{}}]}}`);
    lines.push(
      `{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t${at}"}]},"tool_use_result":{"task":{"id":"${at}"}}}`,
    );
  }
  conversation.push(lines);
  expect(conversation.todos).toHaveLength(30_000);
  expect(conversation.items).toHaveLength(60_000);
}, 5000);

test("an edit of which a diff would not show everything has none", () => {
  const whole = { file_path: "/a", old_string: "a", new_string: "b" };
  expect(editsOf("Edit", whole)).toEqual({ path: "/a", pairs: [["a", "b"]] });
  for (const odd of [{ file_path: 5 }, { old_string: ["a"] }, { new_string: null }]) {
    expect(editsOf("Edit", { ...whole, ...odd })).toBeNull();
  }
  expect(editsOf("MultiEdit", { file_path: "/a", edits: "all" })).toBeNull();
  expect(editsOf("MultiEdit", { file_path: "/a", edits: [whole, null] })).toBeNull();
  expect(editsOf("NotebookEdit", { notebook_path: "/a", new_source: "", edit_mode: "delete" })).toBeNull();
});

test("what a question shows neither as a command nor as a diff is shown as JSON", () => {
  expect(othersOf({ command: "ls", description: "List" })).toBe("");
  expect(othersOf({ command: "ls", dangerouslyDisableSandbox: true })).toContain('"dangerouslyDisableSandbox": true');
});

test("choices without end are cut", () => {
  const options = Array.from({ length: 1000 }, (_, at) => ({ label: `${at}` }));
  const questions = Array.from({ length: 1000 }, () => ({ question: "Which?", options }));
  const asked = askedIn({ input: { questions } } as unknown as Parameters<typeof askedIn>[0]);
  expect(asked).toHaveLength(50);
  expect(asked[0]?.options).toHaveLength(50);
});
