/** What a tool is called with, in words. Pure. */

import { asFields, asList, asText, asWord, type Fields } from "./fields";
import { oneLine } from "./visible-text";

// The field of the input that says most, by tool.
const TELLING = new Map(Object.entries({
  Agent: "description",
  Bash: "command",
  Edit: "file_path",
  Glob: "pattern",
  Grep: "pattern",
  MultiEdit: "file_path",
  NotebookEdit: "notebook_path",
  Read: "file_path",
  Skill: "skill",
  Task: "description",
  TaskCreate: "subject",
  TaskStop: "task_id",
  ToolSearch: "query",
  WebFetch: "url",
  WebSearch: "query",
  Write: "file_path",
}));
export const EDITS = new Set(["Edit", "MultiEdit", "NotebookEdit", "Write"]);
export const AGENTS = new Set(["Agent", "Task"]);

/** One line about a call; paths inside of `cwd` are relative to it. */
export function gistOf(name: string, input: Fields, cwd: string): string {
  if (name === "TodoWrite") return counted(asList(input.todos).length, "item");
  if (name === "TaskUpdate") {
    return oneLine([`#${asWord(input.taskId)}`, asText(input.status), asText(input.subject)].filter(Boolean).join(" "));
  }
  if (name === "AskUserQuestion") return oneLine(asText(asFields(asList(input.questions)[0]).question));
  const field = TELLING.get(name);
  const value = asText(field ? input[field] : Object.values(input).find((each) => typeof each === "string"));
  return oneLine(cwd !== "" && value.startsWith(`${cwd}/`) ? value.slice(cwd.length + 1) : value);
}

/** A tool's name for people: `mcp__github__get_repo` is `github: get_repo`. */
export function toolTitle(name: string): string {
  const parts = /^mcp__(.+?)__(.+)$/.exec(name);
  return parts ? `${parts[1]}: ${parts[2]}` : name;
}

/** The questions of AskUserQuestion with their choices, as lines; "" for other tools. */
export function questionsOf(name: string, input: Fields): string {
  if (name !== "AskUserQuestion") return "";
  const lines = asList(input.questions).map(asFields).flatMap((each) => [
    asText(each.question),
    ...asList(each.options).map(asFields).map((option) => {
      const description = asText(option.description);
      return `  - ${asText(option.label)}${description && `: ${description}`}`;
    }),
  ]);
  return lines.join("\n");
}

function counted(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
