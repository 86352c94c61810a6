/** A session: its transcript as the CLI keeps it, and its jobs. */

import { useEffect, useState } from "preact/hooks";
import { get, sentence } from "../api/client";
import type { Session } from "../api/types";
import { exact, oneLine } from "../conversation/visible-text";
import { link } from "../router";
import { ErrorNotice } from "../ui/notice";
import { SessionActions, SessionFacts } from "../ui/session-facts";
import { Transcript } from "../ui/transcript";
import "./sessions.css";

export function SessionPage({ id }: { id: string }) {
  const [session, setSession] = useState<Session | null>(null);
  const [error, setError] = useState("");

  async function load(signal?: AbortSignal): Promise<void> {
    try {
      setSession(await get<Session>(`/sessions/${id}`, {}, signal));
      setError("");
    } catch (problem) {
      if (!signal?.aborted) setError(sentence(problem));
    }
  }

  /** Put the page of older entries before those that are shown. */
  async function older(shown: Session): Promise<void> {
    try {
      let page = await get<Session>(`/sessions/${id}`, { before: shown.next });
      // A page can be empty before the beginning.
      while (page.entries.length === 0 && page.next !== null) {
        page = await get<Session>(`/sessions/${id}`, { before: page.next });
      }
      setSession({ ...shown, entries: [...page.entries, ...shown.entries], next: page.next });
    } catch (problem) {
      setError(sentence(problem));
    }
  }

  useEffect(() => {
    const controller = new AbortController();
    void load(controller.signal);
    return () => controller.abort();
  }, [id]);

  return (
    <section class="page">
      {error && <ErrorNotice error={error} retry={() => void load()} />}
      {!session && <h1>Session</h1>}
      {!session && !error && <p class="dim">Loading…</p>}
      {session && (
        <>
          <div class="row session-head">
            <div>
              <h1 dir="auto">{oneLine(session.title || "Session without a title")}</h1>
              <p class="mono dim" dir="auto">
                {exact(session.cwd ?? "")}
              </p>
              <SessionFacts session={session} />
            </div>
            <SessionActions session={session} />
          </div>
          {session.next && (
            <button type="button" onClick={() => void older(session)}>
              Earlier messages
            </button>
          )}
          <Transcript
            entries={session.entries}
            cwd={session.cwd ?? ""}
            file={`session-${id.slice(0, 8)}`}
          />
          {session.entries.length === 0 && session.next === null && (
            <p class="dim">The CLI keeps no transcript of it.</p>
          )}
          <Jobs ids={session.jobs} />
        </>
      )}
    </section>
  );
}

function Jobs({ ids }: { ids: string[] }) {
  if (ids.length === 0) return null;
  return (
    <details>
      <summary>
        {ids.length} {ids.length === 1 ? "job" : "jobs"} of this session
      </summary>
      <ul>
        {ids.map((id) => (
          <li key={id}>
            <a class="mono" href={link("jobs", id)}>
              {id}
            </a>
          </li>
        ))}
      </ul>
    </details>
  );
}
