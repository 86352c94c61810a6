/** The CLI's processes, and a button that ends one. */

import type { RunRow } from "../api/types";
import { link } from "../router";
import { bytes, cost, folder, moment } from "./format";
import { Empty } from "./notice";

export function RunTable({ runs, end }: { runs: RunRow[]; end: (run: RunRow) => void }) {
  if (runs.length === 0) return <Empty>No process of the CLI runs.</Empty>;
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="Runs">
      <table class="runs">
        <thead>
          <tr>
            {["State", "Folder", "Model", "User", "Jobs", "Memory", "Idle since", "By itself"].map(
              (name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ),
            )}
            <th scope="col">
              <span class="hidden">Action</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.run_id}>
              <td>
                <span class={`badge badge-${run.state === "busy" ? "running" : run.state}`}>
                  {run.state}
                </span>
              </td>
              <td title={run.cwd ?? ""} dir="auto">
                {run.session_id && run.cwd ? (
                  <a href={link("sessions", run.session_id)}>{folder(run.cwd)}</a>
                ) : (
                  folder(run.cwd ?? "")
                )}
              </td>
              <td>{run.model}</td>
              <td>{run.user}</td>
              <td>{run.jobs}</td>
              <td>{run.memory_bytes === null ? "" : bytes(run.memory_bytes)}</td>
              <td>{run.idle_since && moment(run.idle_since)}</td>
              <td>{run.own_turns > 0 && `${run.own_turns} turns, ${cost(run.own_cost_usd)}`}</td>
              <td>
                <button type="button" onClick={() => end(run)}>
                  End
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
