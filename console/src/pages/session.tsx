/** The page `session`. */

export function SessionPage({ id }: { id: string }) {
  return <section class="page"><h1>session {id}</h1></section>;
}
