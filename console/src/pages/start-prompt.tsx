/** The prompt, into which files can be dropped. */

import { useEffect, useRef, useState } from "preact/hooks";
import { sentence } from "../api/client";
import type { Form } from "./start-body";
import { FieldFrame } from "./start-field";
import { appended, blockOf } from "./start-files";

interface PromptProps {
  form: Form;
  change: (changes: Partial<Form>) => void;
  start: () => Promise<void>;
  error: string | undefined;
}

export function PromptField({ form, change, start, error }: PromptProps) {
  const chooser = useRef<HTMLInputElement | null>(null);
  const text = useRef<HTMLTextAreaElement | null>(null);
  // The attribute `autofocus` is obeyed once in the life of a document, and this is one for all pages.
  useEffect(() => text.current?.focus({ preventScroll: true }), []);
  const [over, setOver] = useState(false);
  const [problems, setProblems] = useState<string[]>([]);
  const latest = useRef(form.prompt);
  latest.current = form.prompt;

  async function add(files: Iterable<File>): Promise<void> {
    const found: string[] = [];
    for (const file of files) {
      try {
        const block = await blockOf(file);
        latest.current = appended(latest.current, block);
        change({ prompt: latest.current });
      } catch (problem) {
        found.push(sentence(problem));
      }
    }
    setProblems(found);
  }

  return (
    <FieldFrame name="prompt" title="Prompt" error={error}>
      <textarea
        id="field-prompt"
        class={over ? "start-prompt start-over" : "start-prompt"}
        value={form.prompt}
        rows={7}
        dir="auto"
        ref={text}
        aria-invalid={error !== undefined}
        placeholder="What should Claude do? Text files can be dropped here."
        onInput={(event) => change({ prompt: event.currentTarget.value })}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          void start();
        }}
        onDragOver={(event) => {
          if (!event.dataTransfer?.types.includes("Files")) return;
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          setOver(false);
          const files = event.dataTransfer?.files;
          if (!files || files.length === 0) return;
          event.preventDefault();
          void add(files);
        }}
        onPaste={(event) => {
          const files = event.clipboardData?.files;
          if (!files || files.length === 0) return;
          event.preventDefault();
          void add(files);
        }}
      />
      {problems.map((problem) => (
        <p key={problem} class="start-problem" role="alert">
          {problem}
        </p>
      ))}
      <div class="row">
        <button type="button" onClick={() => chooser.current?.click()}>
          Add a file
        </button>
        <input
          ref={chooser}
          type="file"
          multiple
          hidden
          onChange={(event) => {
            const { files } = event.currentTarget;
            if (files) void add([...files]);
            event.currentTarget.value = "";
          }}
        />
      </div>
    </FieldFrame>
  );
}
