/** The sign-in: a name and a password, or a key. */

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, sentence } from "../api/client";
import { signedOutBecause, signIn } from "../state/session";
import { useNow } from "../ui/hooks";

export function SignInPage() {
  const [name, setName] = useState("admin");
  const [secret, setSecret] = useState("");
  const [withKey, setWithKey] = useState(false);
  const [error, setError] = useState(signedOutBecause.value);
  const [busy, setBusy] = useState(false);
  // When the gateway listens again, in milliseconds; 0 for now.
  const [openAt, setOpenAt] = useState(0);
  const now = useNow(openAt > 0);
  const wait = Math.max(0, Math.ceil((openAt - now) / 1000));
  const field = useRef<HTMLInputElement | null>(null);
  useEffect(focusSecret, [withKey]);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    if (busy || wait > 0) return;
    setBusy(true);
    setError("");
    try {
      // A key is often pasted with the end of its line.
      await signIn(withKey ? "" : name.trim(), withKey ? secret.trim() : secret);
    } catch (problem) {
      setError(problem instanceof TypeError ? "A key has no such characters." : sentence(problem));
      const seconds = (problem instanceof ApiError && problem.retryAfter) || 0;
      setOpenAt(seconds > 0 ? Date.now() + seconds * 1000 : 0);
      setBusy(false);
      focusSecret();
    }
  }

  function focusSecret(): void {
    field.current?.focus();
    field.current?.select();
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
            ref={field}
            type="password"
            value={secret}
            onInput={(event) => setSecret(event.currentTarget.value)}
            autocomplete={withKey ? "off" : "current-password"}
            required
          />
        </label>
        <button type="submit" class="primary" disabled={busy || wait > 0}>
          {busy ? "Signing in…" : wait > 0 ? `Wait ${wait} s` : "Sign in"}
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
