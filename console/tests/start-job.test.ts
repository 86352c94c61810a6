import { beforeEach, expect, test, vi } from "vitest";
import { ApiError, Unreachable } from "../src/api/client";

const request = vi.hoisted(() => vi.fn());

vi.mock("../src/api/client", async (original) => ({
  ...(await original<typeof import("../src/api/client")>()),
  request,
}));

const { startJob } = await import("../src/pages/start-job");

const keyOf = (call: number) => request.mock.calls[call]?.[1].headers["Idempotency-Key"];
const accepted = () => new Response("{}", { headers: { "X-Process-ID": "a" } });

beforeEach(() => request.mockReset());

test("a start whose answer was lost is sent again with the same key", async () => {
  const body = { prompt: "x", detach: true };
  request.mockRejectedValueOnce(new Unreachable()).mockResolvedValueOnce(accepted());
  await expect(startJob(body)).rejects.toThrow(Unreachable);
  expect(await startJob(body)).toBe("a");
  expect(keyOf(1)).toBe(keyOf(0));
  // Now it is known: the same again is another job.
  request.mockResolvedValueOnce(accepted());
  await startJob(body);
  expect(keyOf(2)).not.toBe(keyOf(0));
});

test("another job, or one that was refused, has another key", async () => {
  const refused = new ApiError(422, "invalid_request", "no");
  request.mockRejectedValueOnce(refused).mockRejectedValueOnce(new ApiError(502, "", "proxy"));
  await expect(startJob({ prompt: "x", detach: true })).rejects.toThrow("no");
  await expect(startJob({ prompt: "x", detach: true })).rejects.toThrow("proxy");
  expect(keyOf(1)).not.toBe(keyOf(0));
  request.mockResolvedValueOnce(accepted()).mockResolvedValueOnce(accepted());
  await startJob({ prompt: "x", detach: true });
  expect(keyOf(2)).toBe(keyOf(1));
  await startJob({ prompt: "y", detach: true });
  expect(keyOf(3)).not.toBe(keyOf(1));
});

test("a tab holds few jobs that end with it, and has room again when one has ended", async () => {
  let end = () => {};
  const held = new ReadableStream({ start: (stream) => void (end = () => stream.close()) });
  const endless = () => new Response(new ReadableStream(), { headers: { "X-Process-ID": "a" } });
  request.mockResolvedValueOnce(endless());
  request.mockResolvedValueOnce(new Response(held, { headers: { "X-Process-ID": "b" } }));
  await startJob({ prompt: "x" });
  await startJob({ prompt: "x" });
  await expect(startJob({ prompt: "x" })).rejects.toThrow("already holds 2 jobs");
  expect(request).toHaveBeenCalledTimes(2);
  end();
  request.mockResolvedValueOnce(endless());
  await vi.waitFor(() => startJob({ prompt: "x" }));
});
