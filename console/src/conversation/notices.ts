/** The CLI's lines that a reader should see, in words. Pure. */

import { asFields, asNumber, asText, type Fields } from "./fields";
import type { NoticeItem, ToolItem } from "./items";

type Notice = Pick<NoticeItem, "tone" | "text">;

// Lines that say nothing which the page does not show otherwise; they are among the raw lines.
export const QUIET = new Set([
  "control_cancel_request",
  "control_response",
  "session_state_changed",
  "status",
  "task_progress",
  "task_updated",
  "thinking_tokens",
]);

/** The notice for a line, or null; `tool` is the call that it names, if any. */
export function noticeOf(fields: Fields, tool: ToolItem | undefined): Notice | null {
  if (fields.type === "rate_limit_event") return rateLimit(asFields(fields.rate_limit_info));
  if (fields.type === "error") return { tone: "error", text: asText(asFields(fields.error).message) || "Error" };
  if (fields.type !== "system") return null;
  switch (fields.subtype) {
    case "api_retry":
      return { tone: "warning", text: retry(fields) };
    case "permission_denied":
      return {
        tone: "warning",
        text: `Not allowed: ${asText(fields.tool_name)}. ${asText(fields.message)}`.trim(),
      };
    case "compact_boundary":
      return { tone: "plain", text: "The conversation was summarized here to save room." };
    case "informational": {
      const text = asText(fields.content) || asText(fields.message) || asText(fields.text);
      return text === "" ? null : { tone: "plain", text };
    }
    case "task_notification":
      // While the call waits for its task, the call's own output says the same.
      if (tool === undefined || tool.state === "running") return null;
      return { tone: "plain", text: asText(fields.summary) || `Background task: ${asText(fields.status)}` };
    default:
      return null;
  }
}

function retry(fields: Fields): string {
  const status = asNumber(fields.error_status);
  const seconds = Math.round((asNumber(fields.retry_delay_ms) ?? 0) / 1000);
  const cause = status === null ? "The model's API does not answer" : `The model's API answered with ${status}`;
  const attempt = `attempt ${asNumber(fields.attempt) ?? "?"} of ${asNumber(fields.max_retries) ?? "?"}`;
  return `${cause}; ${attempt} follows in ${seconds} s.`;
}

function rateLimit(info: Fields): Notice | null {
  if (info.status !== "rejected") return null;
  return { tone: "warning", text: "The account's limit is reached." };
}
