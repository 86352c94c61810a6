/** A chart of the cost per day; loaded only by the page that shows it. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Usage } from "../api/types";
import { cost } from "./format";

const HEIGHT = 200;
const DAY = 86_400;

/** Every day of the period with its cost: seconds since the epoch, and US dollars. */
export function points(usage: Usage): [number[], (number | null)[]] {
  const costs = new Map(usage.rows.map((row) => [row.key, row.cost_usd]));
  const days: number[] = [];
  const values: (number | null)[] = [];
  const last = Date.parse(usage.to) / 1000;
  for (let day = Date.parse(usage.from) / 1000; day <= last; day += DAY) {
    days.push(day);
    // No bar for a day without a cost.
    values.push(costs.get(new Date(day * 1000).toISOString().slice(0, 10)) || null);
  }
  return [days, values];
}

/** Draw into an element, and again when its width or the colours change. Returns what stops that. */
export function drawCosts(element: HTMLElement, usage: Usage): () => void {
  let chart: uPlot | null = null;
  const draw = () => {
    chart?.destroy();
    chart = new uPlot(options(element), points(usage), element);
  };
  const resized = new ResizeObserver(() =>
    chart?.setSize({ width: element.clientWidth, height: HEIGHT }),
  );
  const dark = matchMedia("(prefers-color-scheme: dark)");
  draw();
  resized.observe(element);
  dark.addEventListener("change", draw);
  return () => {
    resized.disconnect();
    dark.removeEventListener("change", draw);
    chart?.destroy();
  };
}

function options(element: HTMLElement): uPlot.Options {
  const [text, line, accent] = ["--dim", "--line", "--accent"].map((name) => colour(element, name));
  const axis = { stroke: text!, grid: { stroke: line!, width: 1 }, ticks: { stroke: line! } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, highest) => [0, highest > 0 ? highest * 1.1 : 1] } },
    axes: [
      { ...axis, grid: { show: false } },
      { ...axis, size: 70, values: (_, ticks) => ticks.map((tick) => cost(tick)) },
    ],
    series: [
      {},
      { stroke: accent!, fill: accent!, paths: uPlot.paths.bars!({ size: [0.7, 40] }), points: { show: false } },
    ],
  };
}

/** The colour behind a variable: light-dark() is resolved only where it is used. */
function colour(element: HTMLElement, variable: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${variable})`;
  element.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
