import { expect, test } from "vitest";
import { header } from "../src/api/credentials";

test("a name and a password are Basic, in UTF-8", () => {
  // RFC 7617, section 2.1.
  expect(header("test", "123£")).toBe("Basic dGVzdDoxMjPCow==");
});

test("a key is Bearer", () => {
  expect(header("", "key-1")).toBe("Bearer key-1");
});
