/** The messages that the model is writing, with `include_partial_messages`. Pure. */

import type { TextItem } from "./items";

interface Open {
  messageId: string;
  /** Texts by the index of their block. */
  items: Map<number, TextItem>;
}

export class Partials {
  readonly #open = new Map<string, Open>();

  /** The job (`""`) or an agent begins a message. */
  begin(parent: string, messageId: string): void {
    this.#open.set(parent, { messageId, items: new Map() });
  }

  of(parent: string): Open | null {
    return this.#open.get(parent) ?? null;
  }

  /** The first text of this message and kind that is not complete, or null. */
  next(parent: string, messageId: string, kind: TextItem["kind"]): TextItem | null {
    const open = this.#open.get(parent);
    if (open === undefined || open.messageId !== messageId) return null;
    for (const [index, each] of open.items) {
      // What is complete is not looked at again: a message may have any number of blocks.
      if (each.done) open.items.delete(index);
      else if (each.kind === kind) return each;
    }
    return null;
  }

  /** All texts that are not complete; there are none afterwards. */
  end(): TextItem[] {
    const left = [...this.#open.values()].flatMap((each) => [...each.items.values()]);
    this.#open.clear();
    return left.filter((each) => !each.done);
  }
}
