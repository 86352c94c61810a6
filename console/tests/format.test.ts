import { expect, test } from "vitest";
import * as format from "../src/ui/format";

test.each([
  [4200, "4.2 s"],
  [200_000, "3 min 20 s"],
  [7_500_000, "2 h 5 min"],
  [-1, "0.0 s"],
])("a duration of %i ms is %s", (milliseconds, text) => {
  expect(format.duration(milliseconds)).toBe(text);
});

test.each([
  [null, ""],
  [0, "$0"],
  [0.0042, "$0.0042"],
  [1.25, "$1.25"],
])("a cost of %s is %s", (dollars, text) => {
  expect(format.cost(dollars)).toBe(text);
});

test.each([
  ["/a/b", "/a/b"],
  ["/srv/web/shop", "…/web/shop"],
])("the folder %s is shown as %s", (path, text) => {
  expect(format.folder(path)).toBe(text);
});

test.each([
  ["claude-sonnet-4-5-20250929", "sonnet-4-5"],
  ["opus", "opus"],
])("the model %s is shown as %s", (name, text) => {
  expect(format.modelName(name)).toBe(text);
});

test.each([
  [999, "999"],
  [12_345, "12.3k"],
  [4_600_000, "4.6M"],
])("%i is %s", (amount, text) => {
  expect(format.count(amount)).toBe(text);
});
