/** An edit of a file, line by line. */

import { useEffect, useState } from "preact/hooks";
import { exact } from "../conversation/visible-text";
import { comparedDiff, type FileDiff, type Hunk } from "./line-diff";
import "./diff.css";

// Lines that are shown at first.
const FIRST = 400;
const LONGEST_LINE = 2000;
const KINDS: Record<string, string> = { "+": "added", "-": "removed" };

/** A diff that is computed when it is shown. */
export function ComparedDiff({ path, pairs }: { path: string; pairs: [string, string][] }) {
  const [diff, setDiff] = useState<FileDiff | null>(null);
  const key = JSON.stringify(pairs);
  useEffect(() => {
    let wanted = true;
    void comparedDiff(path, pairs).then((found) => wanted && setDiff(found));
    return () => {
      wanted = false;
    };
  }, [path, key]);
  return diff === null ? <p class="dim">Comparing…</p> : <Diff diff={diff} />;
}

export function Diff({ diff }: { diff: FileDiff }) {
  const [all, setAll] = useState(false);
  const count = diff.hunks.reduce((sum, each) => sum + each.lines.length, 0);
  let left = all ? Infinity : FIRST;
  const hunks = diff.hunks.map((hunk) => {
    const lines = hunk.lines.slice(0, Math.max(0, left));
    left -= lines.length;
    return { ...hunk, lines };
  });
  return (
    <figure class="diff">
      <figcaption class="mono" dir="ltr">
        {exact(diff.path)}
      </figcaption>
      <div class="diff-lines mono" tabIndex={0} role="group" aria-label="Changes">
        {hunks.map((hunk, at) => (hunk.lines.length > 0 ? <HunkView key={at} hunk={hunk} /> : null))}
      </div>
      {!all && count > FIRST && (
        <button type="button" onClick={() => setAll(true)}>
          Show all {count.toLocaleString("en")} lines
        </button>
      )}
    </figure>
  );
}

function HunkView({ hunk }: { hunk: Hunk }) {
  let [before, after] = [hunk.oldStart, hunk.newStart];
  const isNumbered = hunk.newStart > 0 || hunk.oldStart > 0;
  return (
    <div class="diff-hunk">
      {hunk.lines.map((line, at) => {
        const sign = line[0] ?? " ";
        const number = sign === "-" ? before : after;
        if (sign !== "+") before += 1;
        if (sign !== "-") after += 1;
        return (
          <div key={at} class={`diff-line ${KINDS[sign] ?? ""}`}>
            {isNumbered && <span class="diff-number">{number}</span>}
            <span class="diff-sign">{sign}</span>
            <span class="exact">{shortened(line.slice(1))}</span>
          </div>
        );
      })}
    </div>
  );
}

function shortened(line: string): string {
  if (line.length <= LONGEST_LINE) return exact(line);
  const left = (line.length - LONGEST_LINE).toLocaleString("en");
  return `${exact(line.slice(0, LONGEST_LINE))}… (${left} more characters)`;
}
