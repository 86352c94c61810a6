/** The entries of a CLI's transcript, in plain form. */

import { Markdown } from "./markdown";

type Entry = Record<string, unknown>;

export function Transcript({ entries }: { entries: Entry[] }) {
  return <div class="transcript">{entries.map((entry, index) => <EntryView key={index} entry={entry} />)}</div>;
}

function EntryView({ entry }: { entry: Entry }) {
  return <pre>{JSON.stringify(entry)}</pre>;
}
void Markdown;
