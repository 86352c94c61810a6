/** The page `start`. */

export function StartPage() {
  return <section class="page"><h1>start </h1></section>;
}
