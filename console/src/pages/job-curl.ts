/** A job's request as a curl command that can be pasted into a shell. Pure. */

import { quoted } from "../api/code";
import type { JobRecord, JobRequest } from "../api/types";

export function curlOf(
  record: Pick<JobRecord, "cwd">,
  asked: Pick<JobRequest, "prompt" | "fields">,
  base = new URL(".", location.href).href,
): string {
  const body = { prompt: asked.prompt, ...(record.cwd && { cwd: record.cwd }), ...asked.fields };
  return [
    `curl -N -u "$AUTH_USER:$AUTH_PASSWORD"`,
    `  -H 'Content-Type: application/json'`,
    `  -d ${quoted(ascii(JSON.stringify(body)))}`,
    `  ${quoted(new URL("chat", base).href)}`,
  ].join(" \\\n");
}

/** JSON in which each character that a terminal could obey or hide is escaped. */
function ascii(json: string): string {
  return json.replace(
    /[\u007f-\uffff]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
