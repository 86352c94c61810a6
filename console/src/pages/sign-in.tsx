/** The sign-in: a name and a password, or a key. */

import { useState } from "preact/hooks";
import { ApiError, sentence } from "../api/client";
import { signedOutBecause, signIn } from "../state/session";

export function SignInPage() {
  const [name, setName] = useState("admin");
  const [secret, setSecret] = useState("");
  const [withKey, setWithKey] = useState(false);
  const [error, setError] = useState(signedOutBecause.value);
  const [busy, setBusy] = useState(false);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    setBusy(true);
    setError("");
    try {
      await signIn(withKey ? "" : name, secret);
    } catch (problem) {
      const wait = problem instanceof ApiError && problem.retryAfter;
      setError(sentence(problem) + (wait ? ` Try again in ${wait} s.` : ""));
      setBusy(false);
    }
  }

  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <h1>Claude Code gateway</h1>
        {error && (
          <p class="notice notice-error" role="alert">
            {error}
          </p>
        )}
        {!withKey && (
          <label>
            Name
            <input
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              required
            />
          </label>
        )}
        <label>
          {withKey ? "Key" : "Password"}
          <input
            type="password"
            value={secret}
            onInput={(event) => setSecret(event.currentTarget.value)}
            autocomplete={withKey ? "off" : "current-password"}
            required
          />
        </label>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </button>
        <button type="button" class="quiet" onClick={() => setWithKey(!withKey)}>
          {withKey ? "Use a name and a password" : "Use a key"}
        </button>
        <p class="dim">
          The credentials are kept in this tab until it is closed. <a href="docs">API documentation</a>
        </p>
      </form>
    </main>
  );
}
