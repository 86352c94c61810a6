/** The field that the key `/` goes to. */

import { useRef } from "preact/hooks";
import { useKey } from "./keys";

/** A ref for the search field of a page. */
export function useSearchKey() {
  const field = useRef<HTMLInputElement>(null);
  useKey("/", "Search", () => field.current?.focus());
  return field;
}
