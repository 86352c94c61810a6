/** The page `questions`. */

export function QuestionsPage() {
  return <section class="page"><h1>questions </h1></section>;
}
