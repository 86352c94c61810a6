/** A question before an action that cannot be taken back. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

export interface ConfirmProps {
  title: string;
  /** The words of the button that does it. */
  action: string;
  /** Called with whether the action was confirmed. */
  close: (confirmed: boolean) => void;
  children?: ComponentChildren;
}

export function Confirm({ title, action, close, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-label={title} onClose={() => close(dialog.current?.returnValue === "yes")}>
      <h2>{title}</h2>
      {children}
      <div class="row confirm-actions">
        <button type="button" onClick={() => dialog.current?.close()} autofocus>
          Keep
        </button>
        <button type="button" class="danger" onClick={() => dialog.current?.close("yes")}>
          {action}
        </button>
      </div>
    </dialog>
  );
}
