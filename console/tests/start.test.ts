// @vitest-environment node
import { describe, expect, test } from "vitest";
import { bodyOf, EMPTY, withLink } from "../src/pages/start-body";
import { fieldOf, fieldsOf, typedOf, valueOf } from "../src/pages/start-fields";
import { appended, blockOf, fenced } from "../src/pages/start-files";

const or = (schema: object) => ({ anyOf: [schema, { type: "null" }] });
const strings = { type: "array", items: { type: "string" } };
const SCHEMAS = {
  model: or({ type: "string", maxLength: 500 }),
  system_prompt: or({ type: "string" }),
  session_id: { ...or({ type: "string" }), format: "uuid" },
  tools: { ...or(strings), examples: [["Read", "Grep"]] },
  env: or({ type: "object" }),
  max_turns: or({ type: "integer", minimum: 1, maximum: 9 }),
  effort: or({ type: "string", enum: ["low", "high"] }),
  restricted: or({ type: "boolean" }),
  debug: { anyOf: [{ type: "boolean" }, { type: "string" }, { type: "null" }] },
};
const ref = { $ref: "#/components/schemas/ChatRequest" };
const post = { requestBody: { content: { "application/json": { schema: ref } } } };
const FIELDS = fieldsOf({
  paths: { "/chat": { post } },
  components: { schemas: { ChatRequest: { properties: SCHEMAS } } },
});

test("each field has the kind of its schema", () => {
  expect(Object.fromEntries(FIELDS.map((field) => [field.name, field.kind]))).toEqual({
    ...{ model: "text", system_prompt: "long", session_id: "text", tools: "lines", env: "json" },
    ...{ max_turns: "number", effort: "choice", restricted: "switch", debug: "text" },
  });
});

test.each([
  ["tools", " Read \n\n Bash(git:*) ", ["Read", "Bash(git:*)"]],
  ["tools", "[]", []],
  ["tools", " ", undefined],
  ["env", '{"CI": "1"}', { CI: "1" }],
  ["max_turns", "3", 3],
  ["restricted", "false", false],
  ["restricted", "", undefined],
  ["debug", "true", true],
  ["debug", "api", "api"],
  ["system_prompt", "a\n", "a\n"],
])("the field %s with %j is %j", (name, typed, value) => {
  const field = FIELDS.find((each) => each.name === name)!;
  expect(valueOf(field, typed)).toEqual(value);
  if (value !== undefined) expect(valueOf(field, typedOf(value))).toEqual(value);
});

test.each([
  ["env", "{", /^This is not JSON: /],
  ["max_turns", "many", /^This must be a number/],
])("the field %s refuses %j", (name, typed, message) => {
  expect(() => valueOf(FIELDS.find((each) => each.name === name)!, typed)).toThrow(message);
});

test("an unknown kind of schema is JSON or text, and never breaks the form", () => {
  expect(fieldOf("new", {}).kind).toBe("long");
  expect(fieldOf("new", { type: "array", items: { type: "object" } }).kind).toBe("json");
  expect(fieldsOf({ paths: {} })).toEqual([]);
});

describe("the body of the form", () => {
  const form = { ...EMPTY, prompt: "Hello", cwd: " /tmp " };

  test("has the preset, and what was typed wins over it", () => {
    const found = bodyOf({ ...form, preset: "read", others: { tools: "Read" } }, FIELDS);
    expect(found.problems).toEqual({});
    expect(found.body).toEqual({
      ...{ prompt: "Hello", cwd: "/tmp", ask: true, tools: ["Read"] },
      ...{ permission_mode: "dontAsk", detach: true },
    });
  });

  test.each([
    ["5m", "5m"],
    ["300", 300],
    ["-1", -1],
  ])("keeps the process for %j", (typed, value) => {
    expect(bodyOf({ ...form, keep_alive: typed }, []).body["keep_alive"]).toBe(value);
  });

  test("has the fields of a link also before the API's description is there", () => {
    const linked = withLink(form, new URLSearchParams("session=s&fork=1"));
    const expected = { session_id: "s", fork_session: true, include_partial_messages: true };
    expect(bodyOf(linked, []).body).toMatchObject(expected);
  });

  test("names what is missing or wrong", () => {
    const { problems } = bodyOf({ ...EMPTY, cwd: "tmp", others: { env: "{" } }, FIELDS);
    expect(Object.keys(problems).sort()).toEqual(["cwd", "env", "prompt"]);
  });

  test("of a link continues or forks a session", () => {
    const others = withLink(form, new URLSearchParams("session=s&fork=1&cwd=/a")).others;
    expect(others).toMatchObject({ session_id: "s", fork_session: "true" });
    const again = withLink({ ...form, others }, new URLSearchParams("session=t")).others;
    expect(again["session_id"]).toBe("t");
    expect(again["fork_session"]).toBeUndefined();
  });
});

describe("a file in the prompt", () => {
  test("is a block that its own text does not end", () => {
    expect(fenced("a\nb.md", "```\nx\n```\n")).toBe("a b.md:\n\n````\n```\nx\n```\n````\n");
    expect(appended("Look:\n", "b")).toBe("Look:\n\nb");
  });

  test.each([
    ["a.png", "image/png", "x", "is an image"],
    ["a.latin", "", new Uint8Array([255, 254]), "is not a text"],
    ["a.bin", "", "a\0b", "is not a text"],
    ["a.log", "", "x".repeat(1_000_001), "is larger than 1 MB"],
  ])("%s is refused with a reason", async (name, type, content, reason) => {
    await expect(blockOf(new File([content], name, { type }))).rejects.toThrow(reason);
  });
});
