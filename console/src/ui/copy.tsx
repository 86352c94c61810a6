/** A button that copies a text. */

import { say } from "./toast";

export function CopyButton({ text, label = "Copy" }: { text: string | (() => string); label?: string }) {
  return (
    <button type="button" onClick={() => void copy(typeof text === "string" ? text : text())}>
      {label}
    </button>
  );
}

/** Put a text on the clipboard; a message shows whether that succeeded. */
export async function copy(text: string): Promise<void> {
  try {
    // Browsers have the clipboard only on pages of HTTPS and of this machine.
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copySelection(text);
    say("Copied.");
  } catch {
    say("The browser does not let this page use the clipboard. Select the text instead.", true);
  }
}

function copySelection(text: string): void {
  const field = document.createElement("textarea");
  field.value = text;
  // A modal dialog lets only what is in it have the focus.
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (!copied) throw new Error("copy was refused");
}
