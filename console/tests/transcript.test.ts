// @vitest-environment jsdom
import { expect, test } from "vitest";
import { isSpoken } from "../src/ui/transcript";

test.each([
  [{ type: "user", message: { content: "hello" } }, true],
  [{ type: "assistant", message: { content: [] } }, true],
  [{ type: "cut", bytes: 2_000_000, text: "…" }, true],
  [{ type: "user", isMeta: true, message: { content: "a caveat" } }, false],
  [{ type: "user", isSidechain: true, message: { content: "to an agent" } }, false],
  [{ type: "file-history-snapshot" }, false],
])("%o is read by people: %s", (entry, expected) => {
  expect(isSpoken(entry)).toBe(expected);
});
