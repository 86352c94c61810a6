/** Text of any length as text: what is long is cut in the page, and can be opened or saved. */

import { useMemo, useState } from "preact/hooks";
import { exact, visible } from "../conversation/visible-text";
import { bytes } from "./format";
import { saveText } from "./save";

// Characters that are shown at first, and at most: the browser lays out no more in one piece.
const FIRST = 4000;
const MOST = 400_000;

interface LongTextProps {
  text: string;
  /** The name of the file that a text is saved as. */
  file: string;
  /** Characters that are shown at first. */
  first?: number;
  /** Show each hidden character, and the letters in the order in which they are stored. */
  isCode?: boolean;
}

export function LongText({ text, file, first = FIRST, isCode = false }: LongTextProps) {
  const [open, setOpen] = useState(false);
  const end = open ? MOST : first;
  const shown = useMemo(() => (isCode ? exact : visible)(text.slice(0, end)), [text, end, isCode]);
  const left = text.length - end;
  return (
    <>
      <pre class={isCode ? "long-text exact" : "long-text"} dir={isCode ? "ltr" : "auto"}>
        {shown}
      </pre>
      {left > 0 && (
        <p class="row dim long-text-rest">
          <span>
            {left.toLocaleString("en")} of {text.length.toLocaleString("en")} characters are not shown.
          </span>
          {!open && (
            <button type="button" onClick={() => setOpen(true)}>
              Show {text.length <= MOST ? "all" : "more"}
            </button>
          )}
          <button type="button" onClick={() => saveText(text, file)}>
            Download ({bytes(text.length)})
          </button>
        </p>
      )}
    </>
  );
}
