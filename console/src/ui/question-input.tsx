/** What a tool would do, or the plan that waits for approval, in full. */

import { useEffect, useState } from "preact/hooks";
import { post, sentence } from "../api/client";
import type { Question } from "../api/types";
import { asJson, asText } from "../conversation/fields";
import { count } from "./format";
import { ComparedDiff } from "./diff";
import { editsOf } from "./line-diff";
import { LongText } from "./long-text";
import { MarkdownText } from "./markdown-text";

// A whole command is shown at first; only a very long one is cut.
const FIRST = 100_000;

export function QuestionInput({ question }: { question: Question }) {
  const { tool_name: name, input } = question;
  const edits = editsOf(name, input);
  const command = asText(input.command);
  if (edits !== null) {
    return (
      <>
        <ComparedDiff path={edits.path} pairs={edits.pairs} />
        {input.replace_all === true && <p class="dim">All places where the old text stands.</p>}
        <Others input={input} />
      </>
    );
  }
  const text = name === "Bash" && command !== "" ? command : asJson(input);
  const lines = text.split("\n").length;
  return (
    <div class="question-input">
      <div class="question-text" tabIndex={0} role="group" aria-label={name === "Bash" ? "Command" : "Input"}>
        <LongText text={text} file="command.txt" first={FIRST} isCode />
      </div>
      {text === command && <Others input={input} />}
      {lines > 12 && <p class="dim">{count(lines)} lines; scroll to see all of them.</p>}
    </div>
  );
}

// The fields of a command's or an edit's input that the card shows in words or as a diff.
const SHOWN = new Set([
  ...["command", "description", "file_path", "old_string", "new_string", "replace_all"],
  ...["content", "edits", "notebook_path", "new_source"],
]);

/** The other fields as JSON, such as `dangerouslyDisableSandbox`; "" without any. */
export function othersOf(input: Record<string, unknown>): string {
  const others = Object.entries(input).filter(([name]) => !SHOWN.has(name));
  return others.length > 0 ? asJson(Object.fromEntries(others)) : "";
}

function Others({ input }: { input: Record<string, unknown> }) {
  const others = othersOf(input);
  if (others === "") return null;
  return (
    <div class="question-text" tabIndex={0} role="group" aria-label="Other input">
      <LongText text={others} file="input.txt" isCode />
    </div>
  );
}

/** The plan: newer versions of the CLI keep it in a file, which a control request reads. */
export function QuestionPlan({ question }: { question: Question }) {
  const [found, setFound] = useState<string | null>(null);
  const [error, setError] = useState("");
  const plan = asText(question.input.plan) || found;
  async function load(): Promise<void> {
    setError("");
    try {
      const path = `/jobs/${question.process_id}/control`;
      const { response } = await post<{ response: Record<string, unknown> }>(path, { subtype: "get_plan" });
      setFound(asText(response.content));
    } catch (problem) {
      setError(sentence(problem));
    }
  }
  useEffect(() => {
    if (!asText(question.input.plan)) void load();
  }, [question.question_id]);
  if (plan) return <div class="question-plan"><MarkdownText text={plan} file="plan.md" /></div>;
  if (found === "") return <p class="dim">The CLI has no text of the plan. See the conversation of the job.</p>;
  if (!error) return <p class="dim">Loading the plan…</p>;
  return (
    <p class="row">
      <span role="alert">The plan cannot be loaded: {error}</span>
      <button type="button" onClick={() => void load()}>
        Try again
      </button>
    </p>
  );
}
