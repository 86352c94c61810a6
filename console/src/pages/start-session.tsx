/** The session that the job continues. */

import { link } from "../router";
import type { Form } from "./start-body";

interface SessionProps {
  form: Form;
  change: (changes: Partial<Form>) => void;
}

export function SessionNote({ form, change }: SessionProps) {
  const session = form.others["session_id"];
  if (!session) return null;
  const forks = form.others["fork_session"] === "true";
  const others = (changes: Record<string, string>) => change({ others: { ...form.others, ...changes } });
  return (
    <div class="card start-session">
      <p>
        {forks ? "Continues a copy of the session " : "Continues the session "}
        <a href={link("sessions", session)} class="mono">
          {session}
        </a>
      </p>
      <div class="row">
        <label class="start-check">
          <input
            type="checkbox"
            checked={forks}
            onChange={(event) =>
              others({ fork_session: event.currentTarget.checked ? "true" : "" })
            }
          />
          Fork: leave the session as it is
        </label>
        <button type="button" onClick={() => others({ session_id: "", fork_session: "" })}>
          Begin a new session instead
        </button>
      </div>
    </div>
  );
}
