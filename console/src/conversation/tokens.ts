/** The tokens of a job so far. Pure. */

import { asNumber, type Fields } from "./fields";

interface Amount {
  input: number;
  output: number;
}

const NONE: Amount = { input: 0, output: 0 };

export class Tokens {
  #closed = NONE;
  #open = NONE;
  readonly #messages = new Map<string, Amount>();

  /** The usage of a message; each is counted once, and its last usage counts. */
  take(messageId: string, usage: Fields): void {
    const found = amountOf(usage);
    const before = this.#messages.get(messageId) ?? NONE;
    if (found.input + found.output === 0) return;
    const now = {
      input: Math.max(found.input, before.input),
      output: Math.max(found.output, before.output),
    };
    this.#messages.set(messageId, now);
    const more = { input: now.input - before.input, output: now.output - before.output };
    this.#open = add(this.#open, more);
  }

  /** A result counts all messages before it. */
  close(usage: Fields): void {
    const total = amountOf(usage);
    const sum = total.input + total.output > 0 ? total : this.#open;
    this.#closed = add(this.#closed, sum);
    this.#open = NONE;
    this.#messages.clear();
  }

  total(): Amount {
    return add(this.#closed, this.#open);
  }
}

/** The tokens in a usage of the API: those that were read from the cache or written to it count. */
export function amountOf(usage: Fields): Amount {
  const cached = count(usage.cache_read_input_tokens) + count(usage.cache_creation_input_tokens);
  return { input: count(usage.input_tokens) + cached, output: count(usage.output_tokens) };
}

function count(value: unknown): number {
  return asNumber(value) ?? 0;
}

function add(one: Amount, other: Amount): Amount {
  return { input: one.input + other.input, output: one.output + other.output };
}
