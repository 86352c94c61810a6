/** What a tool is called with, in words. Pure. */

import { asFields, asList, asText, type Fields } from "./fields";
import { oneLine } from "./visible-text";

// The field of the input that says most, by tool.
const TELLING: Record<string, string> = {
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
};
export const EDITS = new Set(["Edit", "MultiEdit", "NotebookEdit", "Write"]);
export const AGENTS = new Set(["Agent", "Task"]);

/** One line about a call; paths inside of `cwd` are relative to it. */
export function gistOf(name: string, input: Fields, cwd: string): string {
  if (name === "TodoWrite") return counted(asList(input.todos).length, "item");
  if (name === "TaskUpdate") {
    return oneLine([`#${String(input.taskId)}`, input.status, input.subject].filter(Boolean).join(" "));
  }
  if (name === "AskUserQuestion") return oneLine(asText(asFields(asList(input.questions)[0]).question));
  const field = TELLING[name];
  const value = asText(field ? input[field] : Object.values(input).find((each) => typeof each === "string"));
  return oneLine(cwd !== "" && value.startsWith(`${cwd}/`) ? value.slice(cwd.length + 1) : value);
}

/** A tool's name for people: `mcp__github__get_repo` is `github: get_repo`. */
export function toolTitle(name: string): string {
  const parts = /^mcp__(.+?)__(.+)$/.exec(name);
  return parts ? `${parts[1]}: ${parts[2]}` : name;
}

function counted(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
