/** Files for the user's folder of downloads, and texts for the clipboard. */

export function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  // The browser reads the content after the click.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export function saveText(text: string, name: string): void {
  save(new Blob([text], { type: "text/plain;charset=utf-8" }), name);
}

/** Copy a text; pages that came over plain HTTP lack the clipboard's API. Raises Error. */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("The browser does not let this page copy.");
}
