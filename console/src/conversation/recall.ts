/** What a call was given and gave back, read again from its lines: an item holds neither. Pure. */

import { asFields, blocksOf, parsed, textOf, type Fields } from "./fields";
import type { ToolItem } from "./items";

/** The input of a call, read again from its line. */
export function inputOf(lines: readonly string[], tool: ToolItem): Fields {
  const message = asFields(parsed(lines[tool.inputLine - 1] ?? "")?.message);
  return asFields(blocksOf(message.content).find((each) => each.id === tool.id)?.input);
}

/** What a call gave back, read again from its line: for the model, and `tool_use_result`. */
export function outputOf(lines: readonly string[], tool: ToolItem): { text: string; details: Fields } {
  const fields = parsed(lines[tool.outputLine - 1] ?? "");
  const blocks = blocksOf(asFields(fields?.message).content);
  const block = blocks.find((each) => each.tool_use_id === tool.id);
  return { text: textOf(block?.content), details: asFields(fields?.tool_use_result) };
}
