/** The sessions by folder, the one that was used last first. */

import { useEffect, useState } from "preact/hooks";
import { get, sentence } from "../api/client";
import type { SessionList, SessionRow } from "../api/types";
import { exact, oneLine } from "../conversation/visible-text";
import { link, place, setQuery } from "../router";
import { me } from "../state/session";
import { Empty, ErrorNotice } from "../ui/notice";
import { useSearchKey } from "../ui/search-field";
import { SessionActions, SessionFacts } from "../ui/session-facts";
import "./sessions.css";

const PAGE = 100;

/** Sessions of each folder; folders and sessions keep the order of the list. */
export function byFolder(rows: SessionRow[]): [string, SessionRow[]][] {
  const folders = new Map<string, SessionRow[]>();
  for (const row of rows) {
    const cwd = row.cwd ?? "";
    folders.set(cwd, [...(folders.get(cwd) ?? []), row]);
  }
  return [...folders];
}

export function SessionsPage() {
  const q = place.value.query.get("q") ?? "";
  const origin = place.value.query.get("origin") ?? "";
  const search = useSearchKey();
  const { rows, next, error, loading, more } = useSessions(q, origin);
  return (
    <section class="page">
      <h1>Sessions</h1>
      <div class="row filters">
        <input
          ref={search}
          type="search"
          aria-label="Search titles"
          placeholder="Search titles"
          value={q}
          onInput={(event) => setQuery({ q: event.currentTarget.value })}
        />
        {me.value?.operator && (
          <select
            aria-label="Where they were begun"
            value={origin}
            onChange={(event) => setQuery({ origin: event.currentTarget.value })}
          >
            <option value="">Begun anywhere</option>
            <option value="gateway">Begun here</option>
            <option value="terminal">Begun in a terminal</option>
          </select>
        )}
      </div>
      {error && <ErrorNotice error={error} retry={more} />}
      {!error && !loading && rows.length === 0 && next === null && (
        <Empty>
          {q || origin ? (
            "No session fits."
          ) : (
            <>
              There are no sessions yet. <a href={link("new")}>Start a job</a>: it begins one.
            </>
          )}
        </Empty>
      )}
      {byFolder(rows).map(([cwd, sessions]) => (
        <section key={cwd}>
          <h2 class="mono" dir="auto">
            {exact(cwd || "Folder unknown")}
          </h2>
          <ul class="sessions card">
            {sessions.map((row) => (
              <SessionItem key={row.session_id} row={row} />
            ))}
          </ul>
        </section>
      ))}
      {loading && <p class="dim">Loading…</p>}
      {next && !loading && (
        <button type="button" onClick={more}>
          Older sessions
        </button>
      )}
    </section>
  );
}

function SessionItem({ row }: { row: SessionRow }) {
  return (
    <li>
      <div>
        <a href={link("sessions", row.session_id)} dir="auto">
          {oneLine(row.title || "Without a title")}
        </a>
        <SessionFacts session={row} />
      </div>
      <SessionActions session={row} />
    </li>
  );
}

/** The sessions that fit, a page more at each call of `more`. */
function useSessions(q: string, origin: string) {
  const [rows, setRows] = useState<SessionRow[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const [error, setError] = useState("");
  const [loading, setLoading] = useState(true);

  async function load(before: string | null, shown: SessionRow[], signal?: AbortSignal) {
    setLoading(true);
    try {
      const query = { q, origin, before, limit: PAGE };
      let found = await get<SessionList>("/sessions", query, signal);
      // A page of a search can be empty although older sessions fit.
      while (found.sessions.length === 0 && found.next !== null) {
        found = await get<SessionList>("/sessions", { ...query, before: found.next }, signal);
      }
      setRows([...shown, ...found.sessions]);
      setNext(found.next);
      setError("");
    } catch (problem) {
      if (signal?.aborted) return;
      setError(sentence(problem));
    }
    setLoading(false);
  }

  useEffect(() => {
    const controller = new AbortController();
    void load(null, [], controller.signal);
    return () => controller.abort();
  }, [q, origin]);
  return { rows, next, error, loading, more: () => void load(next, next ? rows : []) };
}
