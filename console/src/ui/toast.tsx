/** Short messages at the edge of the page: what an action did, or why it could not. */

import { signal } from "@preact/signals";
import { sentence } from "../api/client";

interface Toast {
  id: number;
  text: string;
  isError: boolean;
}

const toasts = signal<Toast[]>([]);
let last = 0;

export function say(text: string, isError = false): void {
  const id = (last += 1);
  toasts.value = [...toasts.value, { id, text, isError }];
  setTimeout(() => dismiss(id), isError ? 12_000 : 4000);
}

/** Run an action; an error becomes a message. Returns whether it succeeded. */
export async function attempt(action: () => Promise<unknown>, done = ""): Promise<boolean> {
  try {
    await action();
    if (done) say(done);
    return true;
  } catch (error) {
    say(sentence(error), true);
    return false;
  }
}

/** What was said to a user who has signed out is not for the next one. */
export function clearToasts(): void {
  toasts.value = [];
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((each) => each.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((each) => (
        <div key={each.id} class={each.isError ? "toast toast-error" : "toast"}>
          <span>{each.text}</span>
          <button type="button" aria-label="Dismiss" onClick={() => dismiss(each.id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
