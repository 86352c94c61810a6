/** The operator's page: is all well, what runs, with which settings, and what the log says. */

import { useEffect, useState } from "preact/hooks";
import { get, remove } from "../api/client";
import type { DoctorRow, RunRow, SettingRow, SettingsAnswer } from "../api/types";
import { listen } from "../state/live";
import { me } from "../state/session";
import { Confirm } from "../ui/confirm";
import { duration, words } from "../ui/format";
import { useLoad } from "../ui/hooks";
import { ErrorNotice } from "../ui/notice";
import { attempt } from "../ui/toast";
import { RunTable } from "../ui/run-table";
import "./gateway.css";

interface Health {
  status: "ok" | "unavailable";
  version: string;
  claude_version: string;
  claude_path: string;
  logged_in: boolean | null;
  uptime: number;
}

interface Stats {
  jobs: Record<string, number>;
}

export function GatewayPage() {
  if (!me.value?.operator) {
    return (
      <section class="page">
        <h1>Gateway</h1>
        <p>Only the operator sees this page.</p>
      </section>
    );
  }
  return (
    <section class="page gateway">
      <h1>Gateway</h1>
      <Overview />
      <Doctor />
      <Runs />
      <Settings />
      <Log />
    </section>
  );
}

function Overview() {
  const health = useLoad<Health>((signal) => get("/health", {}, signal), []);
  const stats = useLoad<Stats>((signal) => get("/stats", {}, signal), []);
  if (health.error) return <ErrorNotice error={health.error} retry={health.reload} />;
  if (!health.value) return <p class="dim">Loading…</p>;
  const { version, claude_version, claude_path, logged_in, uptime } = health.value;
  const login = { true: "logged in", false: "not logged in", null: "not known yet" };
  const facts: [string, string][] = [
    ["Gateway", `${version}, up ${duration(uptime * 1000)}`],
    ["CLI", `${claude_version}, ${claude_path}`],
    ["Login", login[`${logged_in}`]],
  ];
  if (stats.value) {
    const { running = 0, queued = 0 } = stats.value.jobs;
    facts.push(["Jobs now", `${running} running, ${queued} queued`]);
  }
  return (
    <dl class="overview card">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt class="dim">{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Doctor() {
  const load = (signal: AbortSignal) => get<{ rows: DoctorRow[]; ok: boolean }>("/doctor", {}, signal);
  const { value, error, loading, reload } = useLoad(load, []);
  return (
    <section>
      <div class="row heading">
        <h2>Doctor</h2>
        <button type="button" onClick={reload} disabled={loading}>
          {loading ? "Checking…" : "Check again"}
        </button>
      </div>
      {error && <ErrorNotice error={error} retry={reload} />}
      <ul class="checks card">
        {value?.rows.map((row) => (
          <li key={row.check}>
            <span class={`badge badge-${row.status}`}>{row.status}</span>
            <div>
              <strong>{row.check}</strong> <span dir="auto">{row.message}</span>
              {row.remedy && <p class="dim">{row.remedy}</p>}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Runs() {
  const load = (signal: AbortSignal) => get<{ runs: RunRow[] }>("/runs", {}, signal);
  const { value, error, reload } = useLoad(load, []);
  const [asked, setAsked] = useState<RunRow | null>(null);
  // Events say that something has changed; the list says what is.
  useEffect(() => listen({ onRuns: reload, onReset: reload }), [reload]);

  async function end(run: RunRow): Promise<void> {
    await attempt(() => remove(`/runs/${run.run_id}`), "The run has ended.");
    reload();
  }

  return (
    <section>
      <h2>Runs</h2>
      {error && <ErrorNotice error={error} retry={reload} />}
      {value && (
        <RunTable
          runs={value.runs}
          end={(run) => (run.state === "busy" ? setAsked(run) : void end(run))}
        />
      )}
      {asked && (
        <Confirm
          title="End this run?"
          action="End the run"
          close={(yes) => {
            setAsked(null);
            if (yes) void end(asked);
          }}
        >
          <p>It serves a job, which is cancelled then.</p>
        </Confirm>
      )}
    </section>
  );
}

function Settings() {
  const [q, setQ] = useState("");
  const [changed, setChanged] = useState(true);
  const load = (signal: AbortSignal) => get<SettingsAnswer>("/settings", {}, signal);
  const { value, error, reload } = useLoad(load, []);
  const fits = (row: SettingRow) =>
    row.name.includes(q.toUpperCase()) && (!changed || q !== "" || row.origin !== "default");
  return (
    <section>
      <h2>Settings</h2>
      {error && <ErrorNotice error={error} retry={reload} />}
      {value?.last_refused_reload && (
        <p class="notice notice-error">
          The last reload was refused at {value.last_refused_reload.at}:{" "}
          {value.last_refused_reload.error}
        </p>
      )}
      <div class="row filters">
        <input
          type="search"
          aria-label="Search settings"
          placeholder="Search settings"
          value={q}
          onInput={(event) => setQ(event.currentTarget.value)}
        />
        <label class="row">
          <input
            type="checkbox"
            checked={!changed}
            onChange={(event) => setChanged(!event.currentTarget.checked)}
          />
          Defaults, too
        </label>
      </div>
      <ul class="settings">
        {value?.settings.filter(fits).map((row) => (
          <li key={row.name}>
            <code>
              {row.name}={shown(row.value)}
            </code>{" "}
            <span class="dim">{originOf(row)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Where a value comes from: `default`, `environment`, or the file and its line. */
function originOf({ origin, file, line }: SettingRow): string {
  if (file === null) return words(origin);
  return line === null ? file : `${file}, line ${line}`;
}

/** A value as it would stand in `.env`. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

const LINES = 200;

function Log() {
  const load = (signal: AbortSignal) =>
    get<{ lines: string[] }>("/log", { lines: LINES }, signal);
  const { value, error, loading, reload } = useLoad(load, []);
  return (
    <section>
      <div class="row heading">
        <h2>Log</h2>
        <button type="button" onClick={reload} disabled={loading}>
          {loading ? "Loading…" : "Load again"}
        </button>
      </div>
      {error && <ErrorNotice error={error} retry={reload} />}
      <pre class="log card" tabIndex={0} aria-label={`The last ${LINES} lines of the log`}>
        {value?.lines.join("\n")}
      </pre>
    </section>
  );
}
