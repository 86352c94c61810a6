/** Files that are put into a prompt. */

/** Bytes of a file that may become part of a prompt. */
const LARGEST = 1_000_000;

/** The file as a block of the prompt. Raises Error with a sentence for a file that is no text. */
export async function blockOf(file: File): Promise<string> {
  if (file.type.startsWith("image/")) {
    throw new Error(
      `${file.name} is an image, and a prompt is text. Put the image into the job's folder and ` +
        "write its path here: Claude can read images.",
    );
  }
  if (file.size > LARGEST) {
    throw new Error(`${file.name} is larger than 1 MB. Put it into the job's folder, and write its path here.`);
  }
  const bytes = await file.arrayBuffer();
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (!text.includes("\0")) return fenced(file.name, text);
  } catch {
    // Not UTF-8.
  }
  throw new Error(`${file.name} is not a text in UTF-8. Put it into the job's folder, and write its path here.`);
}

/** A fenced block of Markdown under the name of a file; no line of the text ends it. */
export function fenced(name: string, text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((ticks) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${name.replace(/\s+/g, " ")}:\n\n${fence}\n${text.replace(/\n$/, "")}\n${fence}\n`;
}

/** A prompt with a block at its end. */
export function appended(prompt: string, block: string): string {
  return prompt.trim() === "" ? block : `${prompt.trimEnd()}\n\n${block}`;
}
