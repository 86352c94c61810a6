// @vitest-environment jsdom
import { expect, test } from "vitest";
import { link, placeOf } from "../src/router";

test("an address is a path and a query", () => {
  const place = placeOf("#/jobs/a%2Fb?line=12&q=a%20b");
  expect(place.path).toEqual(["jobs", "a/b"]);
  expect([...place.query]).toEqual([
    ["line", "12"],
    ["q", "a b"],
  ]);
});

test("an address that cannot be decoded is taken as it is", () => {
  expect(placeOf("#/jobs/%zz").path).toEqual(["jobs", "%zz"]);
});

test("a link leads back to its parts", () => {
  expect(placeOf(link("sessions", "a/b?c")).path).toEqual(["sessions", "a/b?c"]);
});

test("half a character makes no broken link", () => {
  expect(link("sessions", "\ud800x")).toBe("#/sessions/%EF%BF%BDx");
  expect(link("sessions", "\u{1f600}")).toBe("#/sessions/%F0%9F%98%80");
});
