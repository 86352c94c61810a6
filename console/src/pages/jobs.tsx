/** The jobs: what runs, what waits for an answer, and what has ended. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { JobRow } from "../api/types";
import { link, place, setQuery } from "../router";
import { me } from "../state/session";
import { useKey } from "../ui/keys";
import { ErrorNotice } from "../ui/notice";
import { CancelBar } from "./jobs-cancel";
import { NoJobs } from "./jobs-empty";
import { CHOICES, countOf, filterOf, isFiltered, isLive, type JobFilter } from "./jobs-filter";
import { JobTable } from "./jobs-table";
import { list, reload, show } from "./jobs-store";
import "./jobs.css";

// Milliseconds after the last key until the list is searched.
const TYPING_PAUSE = 250;

export function JobsPage() {
  const filter = filterOf(place.value.query);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  // Not after the first frame: the list is what the page is opened for.
  useLayoutEffect(() => show(filter), [JSON.stringify(filter)]);
  const { rows, loading, error } = list.value;
  const selected = rows.filter((row) => chosen.has(row.process_id) && isLive(row));

  function choose(row: JobRow, on: boolean): void {
    const next = new Set(chosen);
    if (on) next.add(row.process_id);
    else next.delete(row.process_id);
    setChosen(next);
  }

  return (
    <section class="jobs-page">
      <div class="jobs-head">
        <h1>Jobs</h1>
        <StatusFilters filter={filter} />
        <Search filter={filter} />
        <a class="button primary" href={link("new")}>
          Start a job
        </a>
      </div>
      <OtherFilters filter={filter} />
      {error && <ErrorNotice error={error} retry={reload} />}
      {rows.length > 0 ? (
        <JobTable rows={rows} chosen={chosen} choose={choose} />
      ) : (
        !error && <NoJobs loading={loading} filtered={isFiltered(filter)} />
      )}
      {selected.length > 0 && <CancelBar jobs={selected} done={() => setChosen(new Set())} />}
    </section>
  );
}

/** The address of this page with another status; a click on it is a step in the history. */
function withStatus(status: string): string {
  const query = new URLSearchParams(place.value.query);
  if (status === "") query.delete("status");
  else query.set("status", status);
  const text = query.toString();
  return link("jobs") + (text ? `?${text}` : "");
}

function StatusFilters({ filter }: { filter: JobFilter }) {
  const { totals } = list.value;
  return (
    <nav class="jobs-filters" aria-label="Filter by state">
      {CHOICES.map(({ name, title, ...more }) => (
        <a
          key={name}
          href={withStatus(name)}
          class={`jobs-filter jobs-filter-${name || "all"}`}
          aria-current={filter.status === name ? "true" : undefined}
        >
          <span>
            {title}
            {"rest" in more && <span class="jobs-rest">{more.rest}</span>}
          </span>
          {totals && <span class="jobs-count">{countOf(totals, name)}</span>}
        </a>
      ))}
    </nav>
  );
}

function Search({ filter }: { filter: JobFilter }) {
  const field = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [text, setText] = useState(filter.q);
  useKey("/", "Search", () => {
    field.current?.focus();
    field.current?.select();
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  // The address can change without this field: back, or a link.
  useEffect(() => {
    if (filter.q !== text.trim()) setText(filter.q);
  }, [filter.q]);

  function type(value: string): void {
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setQuery({ q: value.trim() }), TYPING_PAUSE);
  }

  return (
    <input
      ref={field}
      type="search"
      class="jobs-search"
      aria-label="Search in titles"
      placeholder="Search in titles"
      value={text}
      maxLength={200}
      onInput={(event) => type(event.currentTarget.value)}
      onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
    />
  );
}

const NAMES = { user: "User", cwd: "Folder", session_id: "Session" } as const;

/** Filters that links of other pages set. */
function OtherFilters({ filter }: { filter: JobFilter }) {
  const given = (Object.keys(NAMES) as (keyof typeof NAMES)[]).filter(
    // Users see their own jobs only, whatever the filter is.
    (name) => filter[name] !== "" && (name !== "user" || me.value?.operator),
  );
  if (given.length === 0) return null;
  return (
    <div class="row jobs-others">
      {given.map((name) => (
        <button key={name} type="button" onClick={() => setQuery({ [name]: null })}>
          <span class="jobs-other" dir="auto">
            {NAMES[name]}: {filter[name]}
          </span>
          <span aria-hidden="true">×</span>
          <span class="hidden">, remove this filter</span>
        </button>
      ))}
    </div>
  );
}
