/** The items that hold a text, in any case of letters. Pure. */

import { textOf } from "./fields";
import type { Item } from "./items";
import { inputOf, outputOf } from "./recall";
import type { Conversation } from "./reducer";

/** The indexes of the items from `from` on. */
export function find(conversation: Conversation, query: string, from = 0): number[] {
  const wanted = query.toLowerCase();
  if (wanted === "") return [];
  const found: number[] = [];
  for (let at = from; at < conversation.items.length; at += 1) {
    const item = conversation.items[at];
    if (item !== undefined && holds(conversation.lines, item, wanted)) found.push(at);
  }
  return found;
}

function holds(lines: readonly string[], item: Item, wanted: string): boolean {
  const has = (text: string) => text.toLowerCase().includes(wanted);
  switch (item.kind) {
    case "text":
    case "thinking":
    case "user":
    case "notice":
    case "result":
      return has(item.text);
    case "tool":
      return has(`${item.name} ${item.gist}`) || holdsCall(lines, item, wanted, has);
    case "question":
      return has(`${item.toolName} ${item.gist}`);
    case "plain":
      return lines.slice(item.line - 1, item.last).some(has);
    case "notes":
      return item.lines.some((line) => has(lines[line - 1] ?? ""));
    case "message":
      return false;
  }
}

function holdsCall(
  lines: readonly string[],
  item: Extract<Item, { kind: "tool" }>,
  wanted: string,
  has: (text: string) => boolean,
): boolean {
  // To parse all lines would take seconds; what JSON writes otherwise is parsed to be sure.
  const simple = /^[\w ./:@#=,;-]*$/.test(wanted);
  const may = (line: number) => {
    const text = lines[line - 1] ?? "";
    return line > 0 && (!simple || text.toLowerCase().includes(wanted) || text.includes("\\u"));
  };
  return (
    (may(item.inputLine) && has(textOf([inputOf(lines, item)]))) ||
    (may(item.outputLine) && has(outputOf(lines, item).text))
  );
}
