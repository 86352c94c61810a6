/** A question of a job, with what can be answered. */

import { useState } from "preact/hooks";
import { ApiError, post, sentence } from "../api/client";
import type { Question } from "../api/types";
import { asText } from "../conversation/fields";
import { toolTitle } from "../conversation/tool-call";
import { exact, visible } from "../conversation/visible-text";
import { link } from "../router";
import { loadQuestions } from "../state/live";
import { duration } from "./format";
import { useNow } from "./hooks";
import { QuestionChoices, type Answers } from "./question-choices";
import { QuestionInput, QuestionPlan } from "./question-input";
import { grantsOf } from "./question-grants";
import "./question-card.css";

interface QuestionCardProps {
  question: Question;
  /** The job's folder, once that is known. */
  folder: string | null;
  /** The name of the job, as a link to it; not in the job's own page. */
  job?: string;
}

export function QuestionCard({ question, folder, job }: QuestionCardProps) {
  const answer = useAnswer(question);
  const id = `question-${question.question_id}`;
  return (
    <article class="card question" aria-labelledby={id}>
      <header class="row question-head">
        <h2 id={id}>{titleOf(question)}</h2>
        <TimeLeft question={question} />
      </header>
      <p class="dim question-place">
        {job !== undefined && (
          <>
            <a href={link("jobs", question.process_id)} dir="auto">
              {visible(job)}
            </a>
            {folder !== null && " · "}
          </>
        )}
        {folder !== null && (
          <span class="mono" dir="ltr">
            {exact(folder)}
          </span>
        )}
      </p>
      {question.description && question.kind === "tool" && <p dir="auto">{visible(question.description)}</p>}
      {question.kind === "tool" && <QuestionInput question={question} />}
      {question.kind === "plan" && <QuestionPlan question={question} />}
      {question.kind === "question" ? (
        <QuestionChoices
          question={question}
          busy={answer.busy}
          send={(answers: Answers) => answer.send({ behavior: "allow", answers })}
          decline={(message) => answer.send({ behavior: "deny", ...(message && { message }) })}
        />
      ) : (
        <Decision question={question} answer={answer} />
      )}
      {answer.error && (
        <p class="notice notice-error" role="alert">
          {answer.error}
        </p>
      )}
    </article>
  );
}

function titleOf(question: Question): string {
  if (question.kind === "question") return "Claude asks you";
  if (question.kind === "plan") return "Claude has a plan. Approve it?";
  return `May Claude use ${exact(toolTitle(question.tool_name))}?`;
}

interface Answering {
  busy: boolean;
  error: string;
  send: (body: Record<string, unknown>) => void;
}

/** Send the answer. If another user was faster, the gateway's sentence says who, and what. */
function useAnswer(question: Question): Answering {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  async function send(body: Record<string, unknown>): Promise<void> {
    setBusy(true);
    setError("");
    try {
      await post(`/jobs/${question.process_id}/questions/${question.question_id}`, body);
      await loadQuestions();
    } catch (problem) {
      setError(sentence(problem));
      const isOver = problem instanceof ApiError && [404, 409].includes(problem.status);
      // The card stays long enough to read why it goes.
      if (isOver) setTimeout(() => void loadQuestions(), 6000);
      else setBusy(false);
    }
  }
  return { busy, error, send: (body) => void send(body) };
}

function Decision({ question, answer }: { question: Question; answer: Answering }) {
  const [denying, setDenying] = useState(false);
  const [why, setWhy] = useState("");
  const isPlan = question.kind === "plan";
  const grants = isPlan ? [] : grantsOf(question.suggestions, asText(question.input.command));
  if (denying) {
    return (
      <form
        class="question-why"
        onSubmit={(event) => {
          event.preventDefault();
          answer.send({ behavior: "deny", ...(why.trim() && { message: why.trim() }) });
        }}
      >
        <label>
          {isPlan ? "What should be different?" : "Why not? Claude reads this and goes on."}
          <textarea
            value={why}
            maxLength={10_000}
            onInput={(event) => setWhy(event.currentTarget.value)}
            ref={(field) => field?.focus()}
          />
        </label>
        <div class="row">
          <button type="submit" class="primary" disabled={answer.busy}>
            {isPlan ? "Keep planning" : "Deny"}
          </button>
          <button type="button" onClick={() => setDenying(false)}>
            Back
          </button>
        </div>
      </form>
    );
  }
  return (
    <>
      <div class="row question-actions">
        <button type="button" class="primary" disabled={answer.busy} onClick={() => answer.send({ behavior: "allow" })}>
          {isPlan ? "Approve" : "Allow once"}
        </button>
        {grants.length > 0 && (
          <button
            type="button"
            disabled={answer.busy}
            onClick={() => answer.send({ behavior: "allow", remember: "run" })}
          >
            Allow until this run ends
          </button>
        )}
        <button type="button" class="danger" disabled={answer.busy} onClick={() => setDenying(true)}>
          {isPlan ? "Keep planning…" : "Deny and say why…"}
        </button>
      </div>
      {grants.length > 0 && (
        <p class="dim question-grants">
          Until this run ends, it may then also: {grants.map((each) => exact(each)).join("; ")}
        </p>
      )}
    </>
  );
}

function TimeLeft({ question }: { question: Question }) {
  const now = useNow(question.expires_at !== null);
  if (question.expires_at === null) return null;
  const left = Date.parse(question.expires_at) - now;
  return (
    <span class={left < 60_000 ? "badge badge-warning" : "badge"}>
      {left > 0 ? `${duration(Math.ceil(left / 1000) * 1000).replace(".0 s", " s")} left` : "expired"}
    </span>
  );
}

