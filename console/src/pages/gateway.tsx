/** The page `gateway`. */

export function GatewayPage() {
  return <section class="page"><h1>gateway </h1></section>;
}
