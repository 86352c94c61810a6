/** The name and password, or the key, of this tab. They are in no URL and in no cookie. */

// Another page of this origin may use the storage, too.
const PREFIX = "claudecode2api.";
const STORED = `${PREFIX}authorization`;

/** The value of the Authorization header; null before the sign-in. */
export function authorization(): string | null {
  return sessionStorage.getItem(STORED);
}

/** Whether a key signed this tab in, and not a name and a password. */
export function usesKey(): boolean {
  return authorization()?.startsWith("Bearer ") ?? false;
}

/** Keep credentials until the tab is closed. An empty name means that `secret` is a key. */
export function keep(name: string, secret: string): void {
  sessionStorage.setItem(STORED, header(name, secret));
}

export function forget(): void {
  sessionStorage.removeItem(STORED);
}

/** Forget also what was written and not sent, of all users of this tab. */
export function forgetAll(): void {
  for (const name of Object.keys(sessionStorage)) {
    if (name.startsWith(PREFIX)) sessionStorage.removeItem(name);
  }
}

/** Basic (RFC 7617, in UTF-8) for a name and a password, Bearer (RFC 6750) for a key. */
export function header(name: string, secret: string): string {
  if (name === "") return `Bearer ${secret}`;
  const bytes = new TextEncoder().encode(`${name}:${secret}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}
