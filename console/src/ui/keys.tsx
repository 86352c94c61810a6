/** Keys of the page that is shown, and the list of them. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Key {
  key: string;
  does: string;
  action: { current: () => void };
}

const keys = new Set<Key>();

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  // The page's own keys come last, so they win over those of the frame.
  const found = [...keys].reverse().find((each) => each.key === event.key);
  if (found === undefined || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  found.action.current();
});

/** Call `action` for a key while the component is shown and no field has the focus. */
export function useKey(key: string, does: string, action: () => void): void {
  const latest = useRef(action);
  latest.current = action;
  useEffect(() => {
    const entry = { key, does, action: latest };
    keys.add(entry);
    return () => void keys.delete(entry);
  }, [key, does]);
}

export function KeyHelp({ close, children }: { close: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const shown = new Map([...keys].map((each) => [each.key, each.does]));
  return (
    <dialog ref={dialog} onClose={close} aria-label="Keys">
      <h2>Keys</h2>
      <dl class="keys">
        {[...shown].map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      {children}
      <button type="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement && ["checkbox", "radio"].includes(target.type)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}
