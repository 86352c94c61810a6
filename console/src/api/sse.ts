/** Event streams: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */

export interface ServerEvent {
  event: string;
  data: string;
  /** The id of the event, or of the last one that had an id. */
  id: string;
}

/** Cuts the text of an event stream into events; chunks may end anywhere. */
export class EventParser {
  // What has no line end yet, in pieces: a long line is joined once.
  #rest: string[] = [];
  #data: string[] = [];
  #event = "";
  /** The last id; also from a frame without data. */
  lastId = "";

  constructor(private readonly onComment: (text: string) => void = () => {}) {}

  push(chunk: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    if (!chunk.includes("\n")) {
      if (chunk !== "") this.#rest.push(chunk);
      return events;
    }
    const text = this.#rest.join("") + chunk;
    let from = 0;
    // The gateway ends lines with a line feed only.
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      const line = text.slice(from, end);
      from = end + 1;
      if (line !== "") {
        this.#field(line);
        continue;
      }
      if (this.#data.length > 0) {
        const event = this.#event || "message";
        events.push({ event, data: this.#data.join("\n"), id: this.lastId });
      }
      this.#data = [];
      this.#event = "";
    }
    this.#rest = from < text.length ? [text.slice(from)] : [];
    return events;
  }

  /** Forget what has no end yet: the connection broke. The last id stays. */
  reset(): void {
    this.#rest = [];
    this.#data = [];
    this.#event = "";
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) {
      this.onComment(line.slice(1).trim());
      return;
    }
    const name = colon < 0 ? line : line.slice(0, colon);
    const raw = colon < 0 ? "" : line.slice(colon + 1);
    const value = raw.startsWith(" ") ? raw.slice(1) : raw;
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id") this.lastId = value;
  }
}
