/** Texts of jobs with what cannot be seen made visible. Pure. */

// Colours and cursor movements of terminals (ECMA-48): CSI, OSC, and short escapes.
const ESCAPES =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[PX^_][^\u001b]*(?:\u001b\\)?|[ -/]*[0-~])/g;
// Control characters but tab and line feed; marks of direction; what has no width.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** The text without escapes of terminals; other characters that cannot be seen are `<U+202E>`. */
export function visible(text: string): string {
  return text.replace(ESCAPES, "").replace(UNSEEN, (character) => {
    if (character === "\r") return "";
    return `<U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}>`;
  });
}
