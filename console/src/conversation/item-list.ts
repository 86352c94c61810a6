/** The items of a conversation, and which of them shows which line. Pure. */

import type { Item, Made, NoticeItem } from "./items";

// Lines of one item, so that a long output without JSON is not an item for each line.
const PLAIN_LINES = 40;
const NOTE_LINES = 200;

export class ItemList {
  /** The lines, as they came; the number of the first one is 1. */
  readonly lines: string[] = [];
  readonly items: Item[] = [];

  /** Where the line that is read stands: how many agents it is inside of, and which one. */
  protected depth = 0;
  protected agent: string | null = null;
  // The item of each line, by its index; -1 for none.
  readonly #itemOf: number[] = [];

  /** The index of the item that shows a line, or that before it; -1 without items. */
  itemAt(line: number): number {
    for (let at = Math.min(line, this.#itemOf.length) - 1; at >= 0; at -= 1) {
      const found = this.#itemOf[at] ?? -1;
      if (found >= 0) return found;
    }
    return this.items.length > 0 ? 0 : -1;
  }

  /** Begin with a line; which item shows it is not known yet. */
  protected begin(line: string): void {
    this.lines.push(line);
    this.#itemOf.push(-1);
  }

  protected add<Kind extends Made>(made: Kind): Kind & Item {
    const item = {
      ...made,
      key: this.items.length,
      line: this.lines.length,
      revision: 0,
      depth: this.depth,
      agent: this.agent,
    } as Kind & Item;
    this.items.push(item);
    this.belongs(item);
    return item;
  }

  /** The line that is read belongs to this item, too. */
  protected belongs(item: Item): void {
    this.#itemOf[this.#itemOf.length - 1] = item.key;
  }

  protected plain(): void {
    this.depth = 0;
    this.agent = null;
    const last = this.items.at(-1);
    const number = this.lines.length;
    if (last?.kind === "plain" && last.last === number - 1 && number - last.line < PLAIN_LINES) {
      touch(last, { last: number });
      this.belongs(last);
    } else {
      this.add({ kind: "plain", last: number });
    }
  }

  protected notes(name: string): void {
    const last = this.items.at(-1);
    if (last?.kind === "notes" && last.depth === this.depth && last.lines.length < NOTE_LINES) {
      if (last.lines.at(-1) !== this.lines.length) last.lines.push(this.lines.length);
      if (!last.names.includes(name)) last.names.push(name);
      touch(last, {});
      this.belongs(last);
    } else {
      this.add({ kind: "notes", names: [name], lines: [this.lines.length] });
    }
  }

  protected notice(notice: Pick<NoticeItem, "tone" | "text">): void {
    this.add({ kind: "notice", ...notice });
  }
}

export function touch<Changed extends Item>(item: Changed, changes: Partial<Changed>): void {
  Object.assign(item, changes);
  item.revision += 1;
}
