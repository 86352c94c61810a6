/** The form's request as code. */

import { useState } from "preact/hooks";
import { LANGUAGES, type Language } from "../api/code";
import { usesKey } from "../api/credentials";
import { me } from "../state/session";
import { address } from "../ui/address";
import { CopyButton } from "../ui/copy";

export function CodeView({ body }: { body: Record<string, unknown> }) {
  const [language, setLanguage] = useState<Language>("curl");
  const [open, setOpen] = useState(false);
  const user = usesKey() ? "" : (me.value?.user ?? "");
  // A long prompt is not made code at each key while that is not shown.
  const code = open ? LANGUAGES[language]({ address: address(), user, body }) : "";
  return (
    <details class="start-code" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>The same as code</summary>
      <div class="row" role="group" aria-label="Language">
        {(Object.keys(LANGUAGES) as Language[]).map((each) => (
          <button key={each} type="button" aria-pressed={each === language} onClick={() => setLanguage(each)}>
            {each}
          </button>
        ))}
        <CopyButton text={code} />
      </div>
      <pre class="card" tabIndex={0} aria-label={`The request in ${language}`}>
        {code}
      </pre>
      <p class="dim">
        {user === "" ? "The key is read from the variable KEY. " : "The password is asked for, or read from AUTH_PASSWORD. "}
        {body["include_partial_messages"] === true &&
          "include_partial_messages shows the answer while it is written; other programs may not need it."}
      </p>
    </details>
  );
}
