/** The edits of a tool's input or result as hunks of lines. Pure but for the loading of jsdiff. */

import { asFields, asList, asNumber, asText, type Fields } from "../conversation/fields";

export interface Hunk {
  /** The number of the first old line, and of the first new line; 0 if that is not known. */
  oldStart: number;
  newStart: number;
  /** Each with its sign first: `+`, `-`, or a space. */
  lines: string[];
}

export interface FileDiff {
  path: string;
  hunks: Hunk[];
}

// Longer texts are shown as removed and added: to compare them could take seconds.
const MOST_COMPARED = 200_000;
const MILLISECONDS = 200;

/** The diff that the CLI reports with a result; null if it reports none. */
export function reportedDiff(details: Fields): FileDiff | null {
  const hunks = asList(details.structuredPatch).map(asFields);
  if (hunks.length === 0) return null;
  return {
    path: asText(details.filePath),
    hunks: hunks.map((each) => ({
      oldStart: asNumber(each.oldStart) ?? 0,
      newStart: asNumber(each.newStart) ?? 0,
      lines: asList(each.lines).filter((line): line is string => typeof line === "string"),
    })),
  };
}

/**
 * The edits that a tool is asked to make; null for a tool that edits nothing, and for an input of
 * which a diff would not show everything.
 */
export function editsOf(name: string, input: Fields): { path: string; pairs: [string, string][] } | null {
  const path = asText(input.file_path) || asText(input.notebook_path);
  const pairs = pairsOf(name, input);
  return path !== "" && pairs.length > 0 && pairs.every(isPair) ? { path, pairs } : null;
}

function pairsOf(name: string, input: Fields): unknown[][] {
  switch (name) {
    case "Edit":
      return [pairOf(input)];
    case "MultiEdit":
      return asList(input.edits).map((each) => pairOf(asFields(each)));
    case "Write":
      return [["", input.content]];
    case "NotebookEdit":
      return input.edit_mode === "delete" ? [] : [["", input.new_source]];
    default:
      return [];
  }
}

function isPair(pair: unknown[]): pair is [string, string] {
  return pair.every((each) => typeof each === "string");
}

/** The diff of edits whose place in the file is not known. */
export async function comparedDiff(path: string, pairs: [string, string][]): Promise<FileDiff> {
  const { diffLines } = await import("diff");
  const hunks = pairs.map(([before, after]) => {
    const short = before.length + after.length <= MOST_COMPARED;
    const parts = before === "" || !short ? undefined : diffLines(before, after, { timeout: MILLISECONDS });
    const lines = parts
      ? parts.flatMap((part) => signed(part.value, part.added ? "+" : part.removed ? "-" : " "))
      : [...signed(before, "-"), ...signed(after, "+")];
    return { oldStart: 0, newStart: 0, lines };
  });
  return { path, hunks };
}

function pairOf(edit: Fields): unknown[] {
  return [edit.old_string, edit.new_string];
}

function signed(text: string, sign: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => sign + line);
}
