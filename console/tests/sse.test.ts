import { describe, expect, test } from "vitest";
import { EventParser } from "../src/api/sse";

describe("an event stream", () => {
  const text =
    'id: 1\n\nevent: message\ndata: {"a":"\u2028"}\nid: 2\n\n: ping\n\nevent: done\ndata: x\ndata: y\nid: end\n\n';
  const events = [
    { event: "message", data: '{"a":"\u2028"}', id: "2" },
    { event: "done", data: "x\ny", id: "end" },
  ];

  test.each(Array.from({ length: text.length }, (_, at) => at))("is cut after %i", (at) => {
    const parser = new EventParser();
    const found = [...parser.push(text.slice(0, at)), ...parser.push(text.slice(at))];
    expect(found).toEqual(events);
  });

  test("has ids without events, and comments", () => {
    const comments: string[] = [];
    const parser = new EventParser((comment) => comments.push(comment));
    expect(parser.push("id: 7\n\n: queued 3\n\n")).toEqual([]);
    expect(parser.lastId).toBe("7");
    expect(comments).toEqual(["queued 3"]);
  });

  test("that broke leaves no half event behind", () => {
    const parser = new EventParser();
    parser.push("id: 1\ndata: half\n");
    parser.reset();
    expect(parser.push("data: whole\n\n")).toEqual([{ event: "message", data: "whole", id: "1" }]);
  });
});
