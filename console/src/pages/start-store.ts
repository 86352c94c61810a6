/** What was written into the form and not sent, kept in this tab. */

import { me } from "../state/session";
import { EMPTY, type Form } from "./start-body";

export function draft(): Form {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key()) ?? "{}") as Partial<Form>;
    return { ...EMPTY, ...kept };
  } catch {
    return EMPTY;
  }
}

export function keepDraft(form: Form): void {
  try {
    // Other fields can hold secrets, and are quickly forgotten there.
    const { others: _, ...kept } = form;
    sessionStorage.setItem(key(), JSON.stringify(kept));
  } catch {
    // The tab's storage is full: the form still has it.
  }
}

/** Forget what was sent; the folder, the model and the rights are there for the next job. */
export function forgetSent(form: Form): void {
  // The right to do everything is given to one job.
  const preset = form.preset === "everything" ? EMPTY.preset : form.preset;
  keepDraft({ ...form, preset, prompt: "", title: "" });
}

/** Each user of the tab has a draft. */
function key(): string {
  return `claudecode2api.draft.${me.value?.user ?? ""}`;
}
