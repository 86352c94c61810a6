/** A text of a job as Markdown, or as plain text if it is very long. */

import { visible } from "../conversation/visible-text";
import { LongText } from "./long-text";
import { Markdown } from "./markdown";

// Characters: longer texts would take too long to become HTML.
const MOST = 100_000;
const FIRST = 8000;

export function MarkdownText({ text, file }: { text: string; file: string }) {
  if (text.length > MOST) return <LongText text={text} file={file} first={FIRST} />;
  return <Markdown text={visible(text)} />;
}
