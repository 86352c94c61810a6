/** Markdown of a job as HTML that runs nothing and loads nothing. */

import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";
import { useMemo } from "preact/hooks";

// HTML in the text stays text. Images are shown as their words: to load one would report to
// its server that the page was read.
const markdown = new MarkdownIt({ html: false, linkify: true, typographer: false }).disable("image");

const TAGS = [
  ..."a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre s strong".split(" "),
  ..."table tbody td th thead tr ul".split(" "),
];
const purify = DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer nofollow");
  }
});

/** Safe HTML for the text. Only links to http, https and mail addresses stay links. */
export function toHtml(text: string): string {
  return purify.sanitize(markdown.render(text), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "title", "start", "align", "target", "rel"],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
  });
}

export function Markdown({ text }: { text: string }) {
  const html = useMemo(() => toHtml(text), [text]);
  return <div class="markdown" dir="auto" dangerouslySetInnerHTML={{ __html: html }} />;
}
