/** The start of a job. */

import { ApiError, request } from "../api/client";

// The body that was sent without an answer, and its Idempotency-Key: the same job is not started
// twice when the connection breaks.
let unanswered: { body: string; key: string } | null = null;

// Jobs that end with this tab. Each holds a connection, and browsers have six for a gateway.
const MOST_HELD = 2;
let held = 0;

/** Start a job; returns its id. Raises ApiError, Unreachable, and Error for one too many to hold. */
export async function startJob(body: Record<string, unknown>): Promise<string> {
  const text = JSON.stringify(body);
  const detached = body["detach"] === true;
  if (!detached && held >= MOST_HELD) {
    throw new Error(
      `This tab already holds ${MOST_HELD} jobs that end with it. Let this one go on when the tab ` +
        "is closed, or wait until one of them has ended.",
    );
  }
  if (unanswered?.body !== text) unanswered = { body: text, key: randomKey() };
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (detached) {
    headers["Prefer"] = "respond-async";
    headers["Idempotency-Key"] = unanswered.key;
  } else headers["Accept"] = "text/event-stream";
  const response = await request("/chat", { method: "POST", headers, body: text }).catch(forgetKey);
  unanswered = null;
  const id = response.headers.get("X-Process-ID");
  if (id === null) throw new Error("The answer names no job. Is there a proxy that removes X-Process-ID?");
  if (!detached) void drain(response);
  return id;
}

/** A refused request started nothing; of an error of a proxy, that is not known. */
function forgetKey(error: unknown): never {
  if (error instanceof ApiError && ![502, 504].includes(error.status)) unanswered = null;
  throw error;
}

/** Read a stream to its end: the job ends when its first reader goes, which is when the tab closes. */
async function drain(response: Response): Promise<void> {
  if (response.body === null) return;
  held += 1;
  try {
    const reader = response.body.getReader();
    while (!(await reader.read()).done);
  } catch {
    // The page of the job shows what became of it.
  } finally {
    held -= 1;
  }
}

/** As long as a UUID; `crypto.randomUUID` exists only on pages of HTTPS and of this machine. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
