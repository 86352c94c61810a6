/** The address of the gateway, as programs need it. */

/** Without a slash at its end; a proxy's path is part of it. */
export function address(): string {
  return (location.origin + location.pathname).replace(/\/(index\.html)?$/, "");
}
