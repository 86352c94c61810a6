/** What jobs have cost, per day, model or user, from GET /usage. */

import { useEffect, useRef } from "preact/hooks";
import { get } from "../api/client";
import type { Usage, UsageSums } from "../api/types";
import { place, setQuery } from "../router";
import { me } from "../state/session";
import { cost, count, duration, words } from "../ui/format";
import { useLoad } from "../ui/hooks";
import { Empty, ErrorNotice } from "../ui/notice";
import "./usage.css";

const DAY = 86_400_000;
const SPANS = [7, 30, 90, 365];
const BY = ["day", "model", "user"] as const;

/** The date in UTC, as the ledger counts. */
export function date(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

export function UsagePage() {
  const days = Number(place.value.query.get("days")) || 30;
  const by = BY.find((each) => each === place.value.query.get("by")) ?? "day";
  const { value, error, loading, reload } = useLoad<Usage>(
    (signal) => {
      const query = { from: date(Date.now() - (days - 1) * DAY), to: date(Date.now()), by };
      return get("/usage", query, signal);
    },
    [days, by],
  );
  const choices = BY.filter((each) => each !== "user" || me.value?.operator);
  return (
    <section class="page">
      <h1>Use</h1>
      <div class="row usage-choices">
        <select
          aria-label="Period"
          value={String(days)}
          onChange={(event) => setQuery({ days: event.currentTarget.value })}
        >
          {SPANS.map((span) => (
            <option key={span} value={String(span)}>
              The last {span} days
            </option>
          ))}
        </select>
        <div class="row" role="group" aria-label="Rows">
          {choices.map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={each === by}
              onClick={() => setQuery({ by: each })}
            >
              By {each}
            </button>
          ))}
        </div>
      </div>
      {error && <ErrorNotice error={error} retry={reload} />}
      {!value && loading && <p class="dim">Loading…</p>}
      {value && <Sums usage={value} />}
      {value && value.rows.length === 0 && <Empty>No job has ended in this time.</Empty>}
      {value && value.rows.length > 0 && (
        <>
          {value.by === "day" && <Chart usage={value} />}
          <Rows usage={value} />
        </>
      )}
      {value && <Starts usage={value} />}
    </section>
  );
}

function tokens(sums: UsageSums): number {
  return (
    sums.input_tokens + sums.output_tokens + sums.cache_read_tokens + sums.cache_creation_tokens
  );
}

function Sums({ usage: { total } }: { usage: Usage }) {
  const tiles = [
    ["Cost", cost(total.cost_usd)],
    ["Jobs", count(total.jobs)],
    ["Failed", count(total.failed)],
    ["Tokens", count(tokens(total))],
    ["Time of jobs", duration(total.duration_ms)],
  ];
  return (
    <dl class="tiles">
      {tiles.map(([name, value]) => (
        <div key={name} class="card">
          <dt class="dim">{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Rows({ usage }: { usage: Usage }) {
  const rows = usage.by === "day" ? [...usage.rows].reverse() : usage.rows;
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="Use in numbers">
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">{usage.by[0]?.toUpperCase() + usage.by.slice(1)}</th>
            <th scope="col">Cost</th>
            <th scope="col">Jobs</th>
            <th scope="col">Failed</th>
            <th scope="col">Input</th>
            <th scope="col">Output</th>
            <th scope="col">Cache read</th>
            <th scope="col">Cache written</th>
            <th scope="col">Time</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key}>
              <th scope="row" dir="auto">
                {row.key || "the CLI's default"}
              </th>
              <td>{cost(row.cost_usd)}</td>
              <td>{row.jobs}</td>
              <td>{row.failed}</td>
              <td>{count(row.input_tokens)}</td>
              <td>{count(row.output_tokens)}</td>
              <td>{count(row.cache_read_tokens)}</td>
              <td>{count(row.cache_creation_tokens)}</td>
              <td>{duration(row.duration_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const KINDS: Record<string, string> = {
  cold: "A new process",
  resumed: "A new process that resumed a session",
  kept: "A kept process",
  spare: "A process that was started before the job",
};

function Starts({ usage }: { usage: Usage }) {
  const started = Object.entries(usage.starts).filter(([, each]) => each.jobs > 0);
  if (started.length === 0) return null;
  return (
    <>
      <h2>How jobs started</h2>
      {usage.saved_ms > 0 && (
        <p>Kept processes and spares have saved {duration(usage.saved_ms)} of waiting.</p>
      )}
      <div class="table-box" tabIndex={0} role="region" aria-label="Starts in numbers">
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">Start</th>
              <th scope="col">Jobs</th>
              <th scope="col">First line after (median)</th>
            </tr>
          </thead>
          <tbody>
            {started.map(([kind, { jobs, first_line_ms }]) => (
              <tr key={kind}>
                <th scope="row">{KINDS[kind] ?? words(kind)}</th>
                <td>{jobs}</td>
                <td>{first_line_ms === null ? "" : `${Math.round(first_line_ms)} ms`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Chart({ usage }: { usage: Usage }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    let stop = () => {};
    let gone = false;
    void import("../ui/cost-chart").then(({ drawCosts }) => {
      if (!gone) stop = drawCosts(element, usage);
    });
    return () => {
      gone = true;
      stop();
    };
  }, [usage]);
  // The table below has the same numbers.
  return <div ref={box} class="chart" aria-hidden="true" />;
}
