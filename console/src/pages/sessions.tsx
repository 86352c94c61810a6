/** The page `sessions`. */

export function SessionsPage() {
  return <section class="page"><h1>sessions </h1></section>;
}
