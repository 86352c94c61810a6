/** The list of what is to do: of TodoWrite, or of TaskCreate, TaskUpdate and TaskList. Pure. */

import { asFields, asList, asText, asWord, type Fields } from "./fields";
import type { Todo } from "./items";

const STATES = new Set(["pending", "in_progress", "completed"]);

export class TodoList {
  #byId = new Map<string, Todo>();
  #list: readonly Todo[] | null = null;

  get todos(): readonly Todo[] {
    return (this.#list ??= [...this.#byId.values()]);
  }

  /** Take in a call, and what came back (`tool_use_result`, and the text for the model). */
  take(name: string, input: Fields, result: unknown, text: string): void {
    this.#list = null;
    if (name === "TodoWrite") {
      this.#replace(asList(input.todos));
    } else if (name === "TaskCreate") {
      const created = asFields(asFields(result).task);
      const id = asText(created.id) || (/#(\d+)/.exec(text)?.[1] ?? "");
      if (id !== "") this.#byId.set(id, todo({ ...input, ...created }, id));
    } else if (name === "TaskUpdate") {
      this.#update(asWord(input.taskId), input);
    } else if (name === "TaskList") {
      const { tasks } = asFields(result);
      if (Array.isArray(tasks)) this.#replace(tasks);
    }
  }

  #replace(rows: unknown[]): void {
    const todos = rows.map((each, at) => todo(asFields(each), asText(asFields(each).id) || String(at + 1)));
    this.#byId = new Map(todos.map((each) => [each.id, each]));
  }

  #update(id: string, input: Fields): void {
    const known = this.#byId.get(id);
    if (known === undefined) return;
    if (input.status === "deleted") this.#byId.delete(id);
    else this.#byId.set(id, todo({ subject: known.text, status: known.status, ...input }, id));
  }
}

export const TODO_TOOLS = new Set(["TodoWrite", "TaskCreate", "TaskUpdate", "TaskList"]);

function todo(fields: Fields, id: string): Todo {
  const status = asText(fields.status);
  return {
    id,
    text: asText(fields.subject) || asText(fields.content) || asText(fields.description),
    status: (STATES.has(status) ? status : "pending") as Todo["status"],
  };
}
