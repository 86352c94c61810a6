/** Values of JSON of which nothing is known. Pure. */

export type Fields = Record<string, unknown>;

export function asFields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

export function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A text or a number as text. Other values can have a `toString` that is no function. */
export function asWord(value: unknown): string {
  return typeof value === "number" ? String(value) : asText(value);
}

export function asNumber(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

/** The object in a line, or null: what is not JSON, and JSON that is no object, is plain text. */
export function parsed(line: string): Fields | null {
  if (!line.startsWith("{")) return null;
  try {
    return asFields(JSON.parse(line));
  } catch {
    return null;
  }
}

/** A value as JSON that people can read; a value may be nested too deeply to be written. */
export function asJson(value: unknown, space = 2): string {
  try {
    return JSON.stringify(value, null, space) ?? "";
  } catch {
    return "(nested too deeply to be shown; see the raw lines)";
  }
}

/** Milliseconds since 1970 of an ISO 8601 time; null for anything else. */
export function asTime(value: unknown): number | null {
  const time = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(time) ? null : time;
}

/** A message's content as blocks: a text is one block. */
export function blocksOf(content: unknown): Fields[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  return asList(content).map(asFields);
}

/** A message's content as text; what is no text is named. */
export function textOf(content: unknown): string {
  return blocksOf(content).map(blockText).join("\n");
}

function blockText(block: Fields): string {
  if (typeof block.text === "string") return block.text;
  if (block.type === "image" || block.type === "document") {
    const source = asFields(block.source);
    const size = asText(source.data).length;
    return `[${asText(source.media_type) || asText(block.type)}, ${Math.round((size * 3) / 4)} bytes]`;
  }
  if (block.type === "tool_reference") return `[${asText(block.tool_name)}]`;
  return asJson(block, 0);
}
