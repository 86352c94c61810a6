// @vitest-environment jsdom
import { expect, test } from "vitest";
import { toHtml } from "../src/ui/markdown";

test.each([
  ["<script>alert(1)</script>", "&lt;script&gt;"],
  ["<img src=x onerror=alert(1)>", "&lt;img"],
  ["[a](javascript:alert(1))", "[a](javascript:alert(1))"],
  ["[a](data:text/html,x)", "[a](data:text/html,x)"],
])("%s stays text", (text, shown) => {
  const html = toHtml(text);
  expect(html).toContain(shown);
  expect(html).not.toMatch(/<(script|img|a)\b/);
});

test("an image is not loaded", () => {
  expect(toHtml("![a](https://example.com/a.png)")).not.toContain("<img");
});

test("a link opens in a tab that does not know this one", () => {
  expect(toHtml("[a](https://example.com/)")).toContain('rel="noopener noreferrer nofollow"');
});
