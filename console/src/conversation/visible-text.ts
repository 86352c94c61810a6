/** Text that a job wrote, without what would hide or reorder other text. Pure. */

// Escape sequences of terminals: CSI, OSC (also without an end), and short ones (ECMA-48).
const TERMINAL =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[@-Z\\^_]/g;
// Controls, characters without a width, those that change the direction, and tags.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;
// They join letters and emoji, and are common in honest prose.
const JOINERS = "\u200c\u200d";

/** Prose and output: hidden characters but joiners become their code, such as `‹U+202E›`. */
export function visible(text: string): string {
  // What a lone return would overwrite in a terminal is shown, each time on a line.
  return shown(text, JOINERS, "\n");
}

/** Code and commands: each hidden character becomes its code. */
export function exact(text: string): string {
  return shown(text, "", "\r");
}

function shown(text: string, kept: string, forReturn: string): string {
  // A return at a line's end is only another line end; most texts have nothing else to change.
  const plain = text.replaceAll("\r\n", "\n").replaceAll("\r", forReturn);
  if (plain.search(HIDDEN) < 0) return plain;
  return plain
    .replace(TERMINAL, "")
    .replace(HIDDEN, (found) => (kept.includes(found) ? found : code(found)));
}

function code(character: string): string {
  const number = character.codePointAt(0) ?? 0;
  return `‹U+${number.toString(16).toUpperCase().padStart(4, "0")}›`;
}

/** The beginning of a text for one line: at most so many characters, line ends as spaces. */
export function oneLine(text: string, most = 200): string {
  const start = text.slice(0, most * 2).replace(/\s+/g, " ").trim();
  const cut = start.length > most || text.length > most * 2;
  return visible(cut ? `${start.slice(0, most)}…` : start);
}
