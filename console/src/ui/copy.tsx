/** A button that copies a text. */

import { copy } from "./save";
import { attempt } from "./toast";

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  return (
    <button type="button" onClick={() => void attempt(() => copy(text), "Copied.")}>
      {label}
    </button>
  );
}
