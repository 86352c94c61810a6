// @vitest-environment jsdom
import { afterEach, expect, test, vi } from "vitest";
import { ApiError } from "../src/api/client";
import type { ServerEvent } from "../src/api/sse";
import { follow } from "../src/api/stream";

afterEach(() => vi.unstubAllGlobals());

/** Answer the requests in turn; each is a status and the text of the stream, which then breaks. */
function answers(...responses: [number, string][]): Headers[] {
  const asked: Headers[] = [];
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    asked.push(new Headers(init.headers));
    const [status, text] = responses.shift() ?? [500, ""];
    return new Response(status === 204 ? null : text, { status });
  });
  return asked;
}

async function read(lastEventId?: string): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  await follow("/chat/a", {
    onEvents: (some) => events.push(...some),
    isLast: (event) => event.event === "done",
    signal: new AbortController().signal,
    ...(lastEventId !== undefined && { lastEventId }),
  });
  return events;
}

test("a stream that breaks goes on after the last whole event", async () => {
  const asked = answers(
    [200, "data: a\nid: 1\n\ndata: half"],
    [503, '{"detail":"The gateway stops."}'],
    [200, "data: b\nid: 2\n\nevent: done\ndata: c\nid: end\n\n"],
  );
  const events = await read();
  expect(events.map((event) => event.data)).toEqual(["a", "b", "c"]);
  expect(asked.map((headers) => headers.get("Last-Event-ID"))).toEqual([null, "1", "1"]);
});

test("a stream that was read to its end has nothing more", async () => {
  const asked = answers([204, ""]);
  expect(await read("end")).toEqual([]);
  expect(asked[0]?.get("Last-Event-ID")).toBe("end");
});

test("a tab that is hidden gives its connection back, and goes on when it is seen", async () => {
  vi.useFakeTimers();
  const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(false);
  const asked: Headers[] = [];
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    asked.push(new Headers(init.headers));
    if (asked.length > 1) return new Response("event: done\ndata: b\nid: end\n\n");
    const body = new ReadableStream({
      start(stream) {
        stream.enqueue(new TextEncoder().encode("data: a\nid: 1\n\n"));
        init.signal?.addEventListener("abort", () => stream.error(new Error("aborted")));
      },
    });
    return new Response(body);
  });
  const found = read();
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  hidden.mockReturnValue(true);
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(1);
  hidden.mockReturnValue(false);
  document.dispatchEvent(new Event("visibilitychange"));
  expect((await found).map((event) => event.data)).toEqual(["a", "b"]);
  expect(asked[1]?.get("Last-Event-ID")).toBe("1");
  vi.useRealTimers();
});

test("a refusal that trying again does not change ends it", async () => {
  answers([404, '{"detail":"Process not found: a","code":"process_not_found"}']);
  const error = await read().catch((problem: unknown) => problem);
  expect(error).toBeInstanceOf(ApiError);
  expect((error as ApiError).message).toBe("Process not found: a");
});
