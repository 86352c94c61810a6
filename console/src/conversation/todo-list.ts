/** The list of what is to do: of TodoWrite, or of TaskCreate, TaskUpdate and TaskList. */

import { asFields, asList, asText, type Fields } from "./fields";
import type { Todo } from "./items";

const STATES = new Set(["pending", "in_progress", "completed"]);

export class TodoList {
  todos: Todo[] = [];

  /** Take in a call, and what came back (`tool_use_result`, and the text for the model). */
  take(name: string, input: Fields, result: unknown, text: string): void {
    if (name === "TodoWrite") {
      this.todos = asList(input.todos).map((each, at) => todo(asFields(each), String(at + 1)));
    } else if (name === "TaskCreate") {
      const created = asFields(asFields(result).task);
      const id = asText(created.id) || (/#(\d+)/.exec(text)?.[1] ?? "");
      if (id !== "") this.#put(todo({ ...input, ...created }, id));
    } else if (name === "TaskUpdate") {
      this.#update(asText(input.taskId) || String(input.taskId), input);
    } else if (name === "TaskList") {
      const tasks = asFields(result).tasks;
      if (Array.isArray(tasks)) {
        this.todos = tasks.map((each, at) => todo(asFields(each), asText(asFields(each).id) || String(at + 1)));
      }
    }
  }

  #put(made: Todo): void {
    const others = this.todos.filter((each) => each.id !== made.id);
    this.todos = [...others, made];
  }

  #update(id: string, input: Fields): void {
    if (input.status === "deleted") {
      this.todos = this.todos.filter((each) => each.id !== id);
      return;
    }
    this.todos = this.todos.map((each) =>
      each.id === id ? todo({ subject: each.text, status: each.status, ...input }, id) : each,
    );
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
