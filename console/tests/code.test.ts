import { expect, test } from "vitest";
import { asCurl, asJavaScript, asPython, python, shell } from "../src/api/code";

const body = { prompt: `a "b" 'c' \\n\n$(x) \`y\` \u2028`, cwd: "/tmp/it's", tools: [], detach: true };
const request = { address: "http://127.0.0.1:1", user: "admin", body };

test.each([
  ["/tmp/a-b_c.d", "/tmp/a-b_c.d"],
  ["", "''"],
  ["it's", "'it'\\''s'"],
  ["$(x) `y` \\ \n", "'$(x) `y` \\ \n'"],
])("a shell reads %j as one word", (text, word) => {
  expect(shell(text)).toBe(word);
});

test("curl gets the body in one quoted word, and no password", () => {
  const command = asCurl(request);
  const quoted = /--data-binary '(.*)' \\\n/s.exec(command)?.[1] ?? "";
  expect(JSON.parse(quoted.replaceAll("'\\''", "'"))).toEqual(body);
  expect(command).toContain("curl -N -u admin -H");
});

test("a key is never in the code", () => {
  const keyed = { ...request, user: "" };
  expect(asCurl(keyed)).toContain('-H "Authorization: Bearer $KEY"');
  expect(asPython(keyed)).toContain('os.environ["KEY"]');
  expect(asJavaScript(keyed)).toContain("process.env.KEY");
});

test("Python's words for JSON's values", () => {
  expect(python({ a: [true, false, null, 1.5], b: {}, c: 'x"\\\n' })).toBe(
    '{\n    "a": [\n        True,\n        False,\n        None,\n        1.5,\n    ],\n    "b": {},\n    "c": "x\\"\\\\\\n",\n}',
  );
});

test("JavaScript evaluates to the same body", () => {
  const literal = /const body = (.*?);\nconst cred/s.exec(asJavaScript(request))?.[1] ?? "";
  expect(new Function(`return ${literal}`)()).toEqual(body);
  expect(asJavaScript(request)).not.toContain("\u2028");
});
