/** All open questions of the user's jobs. */

import { useEffect, useState } from "preact/hooks";
import { get } from "../api/client";
import type { JobRecord } from "../api/types";
import { loadQuestions, questions } from "../state/live";
import { Empty } from "../ui/notice";
import { QuestionCard } from "../ui/question-card";
import "./questions.css";

export function QuestionsPage() {
  const open = questions.value;
  // The stream of events may be broken off.
  useEffect(() => void loadQuestions(), []);
  const jobs = useJobs(open.map((each) => each.process_id));
  return (
    <section class="page questions">
      <h1>Questions</h1>
      {open.length === 0 && (
        <Empty>
          No job has a question. A job that was started with <code>ask</code> asks here before it uses a tool that it
          has no permission for.
        </Empty>
      )}
      {open.map((each) => {
        const job = jobs.get(each.process_id);
        return (
          <QuestionCard
            key={each.question_id}
            question={each}
            folder={job?.cwd ?? null}
            job={job?.title || `Job ${each.process_id.slice(0, 8)}`}
          />
        );
      })}
    </section>
  );
}

/** The records of these jobs, as they come. */
function useJobs(ids: string[]): Map<string, JobRecord> {
  const [jobs, setJobs] = useState(new Map<string, JobRecord>());
  const wanted = [...new Set(ids)].sort().join(" ");
  useEffect(() => {
    const controller = new AbortController();
    for (const id of wanted.split(" ").filter((each) => each !== "" && !jobs.has(each))) {
      get<JobRecord>(`/jobs/${id}`, {}, controller.signal).then(
        (found) => setJobs((before) => new Map(before).set(id, found)),
        () => {
          // The card does without: its link leads to the job.
        },
      );
    }
    return () => controller.abort();
  }, [wanted]);
  return jobs;
}
