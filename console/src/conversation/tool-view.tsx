/** A tool call: one line with its name, gist and time, which opens to input and output. */

import { ComparedDiff, Diff } from "../ui/diff";
import { duration } from "../ui/format";
import { editsOf, reportedDiff } from "../ui/line-diff";
import { LongText } from "../ui/long-text";
import { MarkdownText } from "../ui/markdown-text";
import { asJson, asText, type Fields } from "./fields";
import { Fold } from "./fold";
import type { Surroundings } from "./item-view";
import type { ToolItem } from "./items";
import { inputOf, outputOf } from "./recall";
import { questionsOf, toolTitle } from "./tool-call";
import { exact } from "./visible-text";

const STATES: Record<ToolItem["state"], string> = {
  writing: "being written",
  asking: "waits for an answer",
  running: "running",
  done: "",
  failed: "failed",
  stopped: "stopped",
};

interface ToolViewProps {
  item: ToolItem;
  around: Surroundings;
  now: number;
}

export function ToolView({ item, around, now }: ToolViewProps) {
  const end = item.endedAt ?? (item.state === "running" ? now : null);
  const took = item.startedAt !== null && end !== null ? duration(end - item.startedAt) : "";
  const summary = (
    <>
      <strong>{exact(toolTitle(item.name))}</strong>
      <span class="tool-gist mono exact" dir="ltr">
        {exact(item.gist)}
      </span>
      <span class={`tool-state tool-${item.state}`}>{[STATES[item.state], took].filter(Boolean).join(" · ")}</span>
    </>
  );
  return (
    <Fold item={item} around={around} class="tool" summary={summary} isOpen={item.state === "failed"}>
      <ToolDetails item={item} around={around} />
    </Fold>
  );
}

function ToolDetails({ item, around }: Omit<ToolViewProps, "now">) {
  const input = item.inputLine > 0 ? inputOf(around.lines, item) : null;
  const output = item.outputLine > 0 ? outputOf(around.lines, item) : null;
  const file = `${around.file}-${item.line}`;
  const diff = output === null ? null : reportedDiff(output.details);
  const edits = input === null ? null : editsOf(item.name, input);
  const isShown = diff !== null || edits !== null;
  return (
    <>
      {diff !== null ? <Diff diff={diff} /> : edits !== null && <ComparedDiff path={edits.path} pairs={edits.pairs} />}
      {input !== null && !isShown && <ToolInput name={item.name} input={input} file={file} />}
      {output !== null && (!isShown || item.state === "failed") && (
        <>
          <div class="tool-label dim">{item.state === "failed" ? "Error" : "Output"}</div>
          <div class={item.state === "failed" ? "tool-text tool-error" : "tool-text"}>
            <LongText text={output.text || "(nothing)"} file={`${file}-output.txt`} />
          </div>
        </>
      )}
    </>
  );
}

function ToolInput({ name, input, file }: { name: string; input: Fields; file: string }) {
  const plan = name === "ExitPlanMode" ? asText(input.plan) : "";
  if (plan) return <MarkdownText text={plan} file={`${file}-plan.md`} />;
  if (Object.keys(input).length === 0) return null;
  const command = name === "Bash" ? asText(input.command) : "";
  const text = command || questionsOf(name, input) || asJson(input);
  return (
    <>
      <div class="tool-label dim">{command ? "Command" : "Input"}</div>
      <div class="tool-text">
        <LongText text={text} file={`${file}-input.txt`} isCode />
      </div>
    </>
  );
}
