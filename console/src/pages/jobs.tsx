/** The page `jobs`. */

export function JobsPage() {
  return <section class="page"><h1>jobs </h1></section>;
}
