/** The form that starts a job. */

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, get, sentence } from "../api/client";
import { go, link, place } from "../router";
import { useLoad } from "../ui/hooks";
import { ErrorNotice } from "../ui/notice";
import { bodyOf, EMPTY, type Form, withLink } from "./start-body";
import { CodeView } from "./start-code";
import { FieldFrame, OtherFields } from "./start-field";
import { fieldsOf } from "./start-fields";
import { FolderField } from "./start-folder";
import { startJob } from "./start-job";
import { ModelField } from "./start-model";
import { PresetChoice } from "./start-preset";
import { PromptField } from "./start-prompt";
import { SessionNote } from "./start-session";
import { draft, forgetSent, keepDraft } from "./start-store";
import "./start.css";

// The field that an error without a list of fields is about.
const ABOUT: Record<string, string> = {
  bad_directory: "cwd",
  directory_not_allowed: "cwd",
  variable_not_allowed: "env",
};

export function StartPage() {
  const [form, setForm] = useState(() => withLink(draft(), place.value.query));
  const [refused, setRefused] = useState<Record<string, string>>({});
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState(false);
  const element = useRef<HTMLFormElement | null>(null);
  const described = useLoad((signal) => get<Parameters<typeof fieldsOf>[0]>("/openapi.json", {}, signal), []);
  const fields = described.value ? fieldsOf(described.value) : [];
  const { body, problems } = bodyOf(form, fields);
  // What is not written yet is no mistake until the job is to start.
  const shown = { ...(tried ? problems : {}), ...refused };
  useEffect(() => keepDraft(form), [form]);
  const linked = place.value.query.toString();
  useEffect(() => setForm((before) => withLink(before, place.value.query)), [linked]);

  function change(changes: Partial<Form>): void {
    setForm((before) => ({ ...before, ...changes }));
    const names = Object.keys(changes.others ?? changes);
    setRefused((before) =>
      Object.fromEntries(Object.entries(before).filter(([name]) => !names.includes(name))),
    );
  }

  async function start(): Promise<void> {
    if (busy) return;
    setTried(true);
    setError("");
    setRefused({});
    if (Object.keys(problems).length > 0) return showProblem(element.current);
    setBusy(true);
    try {
      const id = await startJob(body);
      forgetSent(form);
      go(link("jobs", id));
    } catch (problem) {
      setBusy(false);
      refuse(problem);
      showProblem(element.current);
    }
  }

  function refuse(problem: unknown): void {
    const about = problem instanceof ApiError ? ABOUT[problem.code] : undefined;
    const named = problem instanceof ApiError ? problem.fields : {};
    if (about !== undefined) setRefused({ [about]: sentence(problem) });
    else if (Object.keys(named).length > 0) setRefused(named);
    else setError(sentence(problem));
    // A field that the form does not have shows its problem at the button.
    const unknown = Object.keys(named).some((name) => !fields.some((each) => each.name === name));
    if (unknown) setError(sentence(problem));
  }

  return (
    <section class="page start-page">
      <form
        ref={element}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <h1>Start a job</h1>
        <SessionNote form={form} change={change} />
        <PromptField form={form} change={change} start={start} error={shown["prompt"]} />
        <FolderField value={form.cwd} change={(cwd) => change({ cwd })} error={shown["cwd"]} />
        <PresetChoice form={form} change={change} error={shown["permission_mode"]} />
        <div class="start-pair">
          <ModelField value={form.model} change={(model) => change({ model })} error={shown["model"]} />
          <FieldFrame name="title" title="Title" error={shown["title"]}>
            <input
              id="field-title"
              value={form.title}
              maxLength={200}
              placeholder="The first line of the prompt"
              onInput={(event) => change({ title: event.currentTarget.value })}
            />
          </FieldFrame>
        </div>
        <Keep form={form} change={change} error={shown["keep_alive"]} />
        {described.error && <ErrorNotice error={described.error} retry={described.reload} />}
        <OtherFields fields={fields} form={form} change={change} problems={shown} />
        {error && <ErrorNotice error={error} />}
        <div class="row start-actions">
          <button type="submit" class="primary" disabled={busy}>
            {busy ? "Starting…" : "Start"}
          </button>
          <span class="dim">
            <kbd>Ctrl</kbd> <kbd>Enter</kbd> in the prompt
          </span>
          <button type="button" class="quiet" onClick={() => change({ ...EMPTY, cwd: form.cwd })}>
            Clear
          </button>
        </div>
      </form>
      <CodeView body={body} />
    </section>
  );
}

interface KeepProps {
  form: Form;
  change: (changes: Partial<Form>) => void;
  error: string | undefined;
}

function Keep({ form, change, error }: KeepProps) {
  return (
    <div class="start-pair">
      <FieldFrame
        name="keep_alive"
        title="Keep the process"
        error={error}
        hint="The session's next job then starts faster."
      >
        <input
          id="field-keep_alive"
          value={form.keep_alive}
          list="durations"
          placeholder="5m, 1h, or 0 for not at all"
          onInput={(event) => change({ keep_alive: event.currentTarget.value })}
        />
        <datalist id="durations">
          {["5m", "30m", "1h", "0"].map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      </FieldFrame>
      <div class="start-field">
        <label class="start-check">
          <input
            type="checkbox"
            checked={form.detach}
            onChange={(event) => change({ detach: event.currentTarget.checked })}
          />
          Go on when this tab is closed
        </label>
        <p class="dim start-hint">
          {form.detach ? "The job runs until it has ended." : "The job is cancelled when this tab is closed."}
        </p>
      </div>
    </div>
  );
}

/** Bring the first problem into view, once it is in the page. */
function showProblem(form: HTMLFormElement | null): void {
  requestAnimationFrame(() => {
    const found = form?.querySelector<HTMLElement>('[aria-invalid="true"], .start-problem');
    found?.scrollIntoView({ block: "center" });
    found?.focus({ preventScroll: true });
  });
}
