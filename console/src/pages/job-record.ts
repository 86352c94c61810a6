/** What is known of a job beside its stream: its record, what was asked, and its questions. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { ApiError, get, sentence, Unreachable } from "../api/client";
import type { Block, JobRecord, JobRequest, Question } from "../api/types";
import { textOf } from "../conversation/fields";
import { listen, questions } from "../state/live";
import { wordsFor } from "../ui/format";

export interface JobFacts {
  record: JobRecord | null;
  /** null until it has come, or if the gateway does not have it. */
  asked: JobRequest | null;
  /** All questions, the closed ones too. */
  history: Question[];
  error: string;
  reload: () => void;
}

export function useJobFacts(id: string): JobFacts {
  const [record, setRecord] = useState<JobRecord | null>(null);
  const [asked, setAsked] = useState<JobRequest | null>(null);
  const [history, setHistory] = useState<Question[]>([]);
  const [error, setError] = useState("");
  const open = questions.value.filter((each) => each.process_id === id);
  const openIds = open.map((each) => each.question_id).join(" ");

  const reload = useCallback(() => {
    get<JobRecord>(`/jobs/${id}`).then(
      (found) => {
        setRecord(found);
        setError("");
      },
      (problem: unknown) => setError(sentence(problem)),
    );
    get<JobRequest>(`/jobs/${id}/request`).then(setAsked, ignoreMissing);
  }, [id]);

  useEffect(() => {
    reload();
    return listen({
      onReset: reload,
      onJobs: (rows) => {
        const row = rows.findLast((each) => each.process_id === id);
        if (row) setRecord((before) => before && { ...before, ...row });
      },
    });
  }, [id]);

  useEffect(() => {
    const path = `/jobs/${id}/questions`;
    get<{ questions: Question[] }>(path, { all: true }).then(
      (found) => setHistory(found.questions),
      ignoreMissing,
    );
  }, [id, openIds]);

  return { record, asked, history, error, reload };
}

// The page shows what there is: that the gateway or the record is gone is reported by the request
// for the record.
function ignoreMissing(problem: unknown): void {
  if (!(problem instanceof ApiError || problem instanceof Unreachable)) throw problem;
}

/** The texts of the messages that were sent to the job, by id. */
export function messagesOf(asked: JobRequest | null): Map<string, { text: string; user: string }> {
  const rows = asked?.messages ?? [];
  return new Map(rows.map((each) => [each.message_id, { text: textOf(each.text ?? each.content), user: each.user ?? "" }]));
}

export function promptOf(asked: JobRequest | null): string {
  return asked === null ? "" : textOf(asked.prompt as string | Block[]);
}

/** What became of each closed question: `allowed by anna`, `denied by anna: use a copy`. */
export function outcomesOf(history: Question[]): Map<string, string> {
  return new Map(
    history.flatMap((each) => (each.closed ? [[each.question_id, outcomeOf(each.closed)] as const] : [])),
  );
}

const OUTCOMES: Record<string, string> = { allow: "allowed", deny: "denied" };

function outcomeOf(closed: NonNullable<Question["closed"]>): string {
  const { behavior, user, message, answers } = closed;
  const by = user ? ` by ${user}` : "";
  const chosen = answers ? Object.values(answers).flat().join(", ") : "";
  const detail = chosen || message || "";
  return `${wordsFor(OUTCOMES, behavior)}${by}${detail ? `: ${detail}` : ""}`;
}
