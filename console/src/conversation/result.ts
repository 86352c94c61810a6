/** The end of a turn, from the CLI's `result` line. Pure. */

import { asFields, asJson, asNumber, asText, type Fields } from "./fields";
import type { Made, ResultItem } from "./items";

/** `lastText` is what the model has said last. */
export function resultOf(fields: Fields, lastText: string): Extract<Made, Pick<ResultItem, "kind">> {
  const errors = Array.isArray(fields.errors) ? fields.errors.map(textOrJson).join("\n") : "";
  const text = asText(fields.result) || errors;
  return {
    kind: "result",
    isError: fields.is_error === true || asText(fields.subtype).startsWith("error"),
    subtype: asText(fields.subtype),
    reason: asText(fields.terminal_reason),
    text,
    repeats: text !== "" && text === lastText,
    costUsd: costOf(fields),
    turns: asNumber(fields.num_turns),
    durationMs: asNumber(fields.duration_ms),
  };
}

function textOrJson(value: unknown): string {
  return typeof value === "string" ? value : asJson(value, 0);
}

/** Dollars since the last result: `total_cost_usd` counts from the start of the CLI's process. */
function costOf(fields: Fields): number | null {
  const models = Object.values(asFields(fields.model_usage_since_last_result));
  const costs = models.map((each) => asNumber(asFields(each).costUSD));
  if (costs.length > 0) return costs.reduce<number>((sum, each) => sum + (each ?? 0), 0);
  return asNumber(fields.total_cost_usd);
}
