/** Who is signed in, in this tab. */

import { signal } from "@preact/signals";
import { ApiError, get, onSignedOut, request } from "../api/client";
import { authorization, forget, forgetAll, header, keep } from "../api/credentials";
import type { Me } from "../api/types";

/** null before the sign-in; undefined until that is known. */
export const me = signal<Me | null | undefined>(undefined);
/** Why the tab was signed out, for the sign-in page. */
export const signedOutBecause = signal("");

const REFUSED = "The gateway no longer accepts these credentials. Sign in again.";

onSignedOut(() => {
  if (me.value == null) return;
  signedOutBecause.value = REFUSED;
  signOut();
});

/** Use the credentials of this tab, if there are any. Raises ApiError and Unreachable. */
export async function restore(): Promise<void> {
  if (authorization() === null) {
    me.value = null;
    return;
  }
  try {
    me.value = await get<Me>("/whoami");
  } catch (error) {
    // After any other error, a reload of the page tries them again.
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    signedOutBecause.value = REFUSED;
    signOut();
  }
}

/** Sign in with a name and a password, or with a key and no name. Raises ApiError, Unreachable. */
export async function signIn(name: string, secret: string): Promise<void> {
  const response = await request("/whoami", { headers: { Authorization: header(name, secret) } });
  const found = (await response.json()) as Me;
  keep(name, secret);
  signedOutBecause.value = "";
  me.value = found;
}

/** Leave nothing of the user in the tab: no draft, and not the address of the page. */
export function leave(): void {
  signedOutBecause.value = "";
  signOut();
  forgetAll();
  location.hash = "#/jobs";
}

/** Forget the credentials, for example those that were refused; drafts wait for their user. */
export function signOut(): void {
  forget();
  me.value = null;
}
