/** What is known of a session, in one line, and what can be done with it. */

import type { SessionRow } from "../api/types";
import { link } from "../router";
import { me } from "../state/session";
import { cost, moment } from "./format";

export function SessionFacts({ session }: { session: SessionRow }) {
  const { turns, user, last_used, cost_usd, origin, running_job } = session;
  const facts = [
    moment(last_used),
    turns !== null && `${turns} ${turns === 1 ? "turn" : "turns"}`,
    cost(cost_usd),
    origin === "terminal" && "begun in a terminal",
    me.value?.operator && user,
  ].filter(Boolean);
  return (
    <p class="dim facts">
      {facts.join(" · ")}
      {running_job && (
        <>
          {" · "}
          <a href={link("jobs", running_job)}>a job runs</a>
        </>
      )}
    </p>
  );
}

/** Links to the form that continues or forks a session. */
export function SessionActions({ session }: { session: SessionRow }) {
  const form = (fork: boolean) => {
    const query = new URLSearchParams({ session: session.session_id });
    if (session.cwd) query.set("cwd", session.cwd);
    if (fork) query.set("fork", "1");
    return `${link("new")}?${query}`;
  };
  return (
    <span class="row">
      <a class="button" href={form(false)}>
        Continue
      </a>
      <a class="button" href={form(true)}>
        Fork
      </a>
    </span>
  );
}
