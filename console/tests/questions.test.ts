import { expect, test } from "vitest";
import type { Question } from "../src/api/types";
import { askedIn } from "../src/ui/question-choices";
import { grantsOf } from "../src/ui/question-grants";
import { comparedDiff, editsOf, reportedDiff } from "../src/ui/line-diff";
import { curlOf } from "../src/pages/job-curl";

const RULES = {
  type: "addRules",
  rules: [{ toolName: "Bash", ruleContent: "touch a" }, { toolName: "Read" }],
  behavior: "allow",
  destination: "localSettings",
};
const FOLDERS = { type: "addDirectories", directories: ["/tmp"], destination: "session" };
const MODE = { type: "setMode", mode: "acceptEdits", destination: "session" };

test.each([
  [[RULES, FOLDERS, MODE], ["use Bash for touch a", "use Read for anything", "work in /tmp"]],
  [[MODE], ["edit files without a question"]],
  [[{ ...RULES, behavior: "deny" }], []],
  [[{ ...MODE, mode: "bypassPermissions" }], []],
  [[null, 5, {}, { type: "addRules", rules: 5 }], []],
])("what is allowed until the run ends is named", (suggestions, words) => {
  expect(grantsOf(suggestions)).toEqual(words);
});

test("a rule for the command that is shown is not repeated", () => {
  expect(grantsOf([RULES], "touch a")[0]).toBe("use Bash for exactly this");
});

test("questions without a text cannot be answered, and are left out", () => {
  const questions = [{ question: "Which?", header: 5, options: [{ label: "A" }, {}, null] }, {}, null];
  const question = { input: { questions } } as unknown as Question;
  expect(askedIn(question)).toEqual([
    { text: "Which?", header: "", isMulti: false, options: [{ label: "A", description: "" }] },
  ]);
});

test("an edit becomes lines that were removed and added", async () => {
  const edits = editsOf("Edit", { file_path: "/a", old_string: "a\nb", new_string: "a\nc\n" });
  const diff = await comparedDiff(edits?.path ?? "", edits?.pairs ?? []);
  expect(diff.hunks[0]?.lines).toEqual([" a", "-b", "+c"]);
});

test("a new file is added lines", async () => {
  const edits = editsOf("Write", { file_path: "/a", content: "a\n\nb" });
  expect((await comparedDiff("/a", edits?.pairs ?? [])).hunks[0]?.lines).toEqual(["+a", "+", "+b"]);
});

test("a tool that edits nothing has no diff", () => {
  expect(editsOf("Bash", { command: "ls" })).toBeNull();
  expect(reportedDiff({ structuredPatch: [] })).toBeNull();
});

test("texts with nothing in common are compared in moments", async () => {
  const one = Array.from({ length: 20_000 }, (_, at) => `a${at}`).join("\n");
  const begin = performance.now();
  await comparedDiff("/a", [[one, one.replaceAll("a", "b")]]);
  expect(performance.now() - begin).toBeLessThan(5000);
});

test("a curl command survives a hostile prompt", () => {
  const asked = { prompt: "it's $(rm -rf /) `x` \u202e\n", fields: { ask: true } };
  const command = curlOf({ cwd: "/srv/a" }, asked, "https://example.com/gateway/");
  expect(command).toContain(`'\\''s $(rm -rf /)`);
  expect(command).toContain("\\u202e\\n");
  expect(command).toContain("'https://example.com/gateway/chat'");
  expect(command).not.toContain("\u202e");
});
