/** The address of the page, after the `#`: `#/jobs/<id>?line=12`. The gateway needs no route for it. */

import { signal } from "@preact/signals";

export interface Place {
  /** The parts of the path, decoded: `["jobs", "<id>"]`. */
  path: string[];
  query: URLSearchParams;
}

export function placeOf(hash: string): Place {
  const [path = "", query = ""] = split(hash.replace(/^#\/?/, ""), "?");
  const parts = path.split("/").filter((part) => part !== "");
  return { path: parts.map(decoded), query: new URLSearchParams(query) };
}

export const place = signal<Place>(placeOf(location.hash));

addEventListener("hashchange", () => {
  place.value = placeOf(location.hash);
});

/** Whether a part of the path can be an id: of a request's path it must not change another part. */
export function isId(part: string): boolean {
  return /^[\w-]+$/.test(part);
}

/** The href of a page: `link("jobs", id)` is `#/jobs/<id>`. */
export function link(...parts: string[]): string {
  return `#/${parts.map((each) => encodeURIComponent(wellFormed(each))).join("/")}`;
}

export function go(href: string): void {
  location.hash = href;
}

/** Change the query of this page without a new entry in the browser's history. */
export function setQuery(changes: Record<string, string | null>): void {
  const { path, query } = place.value;
  const changed = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") changed.delete(name);
    else changed.set(name, value);
  }
  const text = changed.toString();
  history.replaceState(null, "", link(...path) + (text ? `?${text}` : ""));
  place.value = placeOf(location.hash);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The text with a mark in place of half a character, which no address can have. */
function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udfff]/gu, "\ufffd");
}

function split(text: string, at: string): string[] {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}
