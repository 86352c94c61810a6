import { expect, test } from "vitest";
import { exact, oneLine, visible } from "../src/conversation/visible-text";

test.each([
  ["plain ü 漢字 🙂\n\tnext", "plain ü 漢字 🙂\n\tnext"],
  ["\u202ecba", "‹U+202E›cba"],
  ["a\u2066b\u2069", "a‹U+2066›b‹U+2069›"],
  ["zero\u200bwidth\ufeff", "zero‹U+200B›width‹U+FEFF›"],
  ["\u001b[31mred\u001b[0m", "red"],
  ["\u009b31mred", "red"],
  ["\u001b]8;;http://x\u0007link\u001b]8;;\u001b\\", "link"],
  ["\u001b]0;never ends", ""],
  ["\u001b", "‹U+001B›"],
  ["bell\u0007 nul\u0000", "bell‹U+0007› nul‹U+0000›"],
  ["tag\u{e0041}", "tag‹U+E0041›"],
  ["a\r\nb", "a\nb"],
])("%j is shown as %j", (text, shown) => {
  expect(visible(text)).toBe(shown);
  expect(exact(text)).toBe(shown);
});

test("joiners stay in prose, and are shown in code", () => {
  expect(visible("👨\u200d👩")).toBe("👨\u200d👩");
  expect(exact("a\u200db")).toBe("a‹U+200D›b");
});

test("what a return would overwrite is shown", () => {
  expect(visible("10%\r20%")).toBe("10%\n20%");
  expect(exact("rm -rf /\recho ok")).toBe("rm -rf /‹U+000D›echo ok");
});

test("one line is short and has no line end", () => {
  expect(oneLine(" a\n b ", 10)).toBe("a b");
  expect(oneLine("x".repeat(1_000_000), 5)).toBe("xxxxx…");
});

test("a hostile text takes no more than moments", () => {
  const begin = performance.now();
  for (const piece of ["\u001b]", "\u001b[0", "\u009b", "\u202e", "\r"]) visible(piece.repeat(300_000));
  expect(performance.now() - begin).toBeLessThan(10_000);
});
