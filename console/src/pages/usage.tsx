/** The page `usage`. */

export function UsagePage() {
  return <section class="page"><h1>usage </h1></section>;
}
