/** The page `job`. */

export function JobPage({ id }: { id: string }) {
  return <section class="page"><h1>job {id}</h1></section>;
}
