/** Requests to the gateway. No other module calls `fetch`. */

import { authorization } from "./credentials";

/** A response that is not a success. `message` is the gateway's sentence, `code` its stable code. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Seconds after which the gateway asks to try again; null without the header. */
    readonly retryAfter: number | null = null,
    /** What is wrong with fields of the body, by name; empty for most errors. */
    readonly fields: Record<string, string> = {},
  ) {
    super(message);
  }
}

/** The gateway could not be reached. */
export class Unreachable extends Error {
  constructor() {
    super("The gateway does not answer. Is it running, and is this network up?");
  }
}

let signedOut: () => void = () => {};

/** Call this function when the gateway refuses the credentials of this tab. */
export function onSignedOut(action: () => void): void {
  signedOut = action;
}

type Query = Record<string, string | number | boolean | null | undefined>;

/** A path with its query; values that are null or "" are left out. */
export function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value != null && value !== "");
  if (given.length === 0) return path;
  return `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

/** Send a request; the response may have any status. Raises Unreachable. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const credentials = authorization();
  if (credentials !== null && !headers.has("Authorization")) {
    headers.set("Authorization", credentials);
  }
  try {
    // Relative, so that it works below a proxy's path. Without the browser's own credentials, a 401
    // never opens its password dialog.
    const found = { ...init, headers, credentials: "omit", cache: "no-store" } as const;
    return await fetch(`.${path}`, found);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Unreachable();
  }
}

/** Send a request that must succeed. Raises ApiError and Unreachable. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await send(path, init);
  if (response.ok) return response;
  const error = await errorOf(response);
  if (response.status === 401 && !new Headers(init.headers).has("Authorization")) signedOut();
  throw error;
}

export async function get<Found>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Found> {
  const init = { headers: { Accept: "application/json" }, ...(signal && { signal }) };
  return (await (await request(withQuery(path, query), init)).json()) as Found;
}

/** The text of a response, for what is not JSON. */
export async function getText(path: string, accept: string, signal?: AbortSignal): Promise<string> {
  return (await request(path, { headers: { Accept: accept }, ...(signal && { signal }) })).text();
}

export async function post<Found>(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Found> {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", ...headers },
    body: JSON.stringify(body),
  };
  const response = await request(path, init);
  return (response.status === 204 ? null : await response.json()) as Found;
}

export async function remove<Found>(path: string): Promise<Found> {
  return (await (await request(path, { method: "DELETE" })).json()) as Found;
}

/** The error that a response holds, in the gateway's own words. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  const wait = Number(response.headers.get("Retry-After"));
  const { message, code, fields } = describe(text);
  return new ApiError(
    response.status,
    code,
    message || `The gateway answered with ${response.status}.`,
    Number.isFinite(wait) && wait > 0 ? wait : null,
    fields,
  );
}

function describe(text: string): Pick<ApiError, "message" | "code" | "fields"> {
  try {
    const body = JSON.parse(text) as { detail?: unknown; code?: unknown };
    const code = typeof body.code === "string" ? body.code : "";
    if (typeof body.detail === "string") return { message: body.detail, code, fields: {} };
    if (Array.isArray(body.detail)) {
      const fields = Object.fromEntries(body.detail.map((each) => [String(each.loc?.[1]), each.msg]));
      return { message: body.detail.map(problem).join("; "), code, fields };
    }
  } catch {
    // A proxy between this page and the gateway may answer with anything.
  }
  return { message: "", code: "", fields: {} };
}

/** One problem of a body that was refused: `cwd: must be a string`. */
function problem(each: { loc?: unknown[]; msg?: string }): string {
  const place = (each.loc ?? []).slice(1).join(".");
  return place ? `${place}: ${each.msg}` : String(each.msg);
}

/** The sentence to show for any error. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
