/** The tokens of a job so far. Pure. */

import { asNumber, type Fields } from "./fields";

interface Amount {
  input: number;
  output: number;
}

export class Tokens {
  #closed: Amount = { input: 0, output: 0 };
  readonly #messages = new Map<string, Amount>();

  /** The usage of a message; each is counted once, and its last usage counts. */
  take(messageId: string, usage: Fields): void {
    const found = amountOf(usage);
    const before = this.#messages.get(messageId);
    if (found.input + found.output === 0) return;
    this.#messages.set(messageId, {
      input: Math.max(found.input, before?.input ?? 0),
      output: Math.max(found.output, before?.output ?? 0),
    });
  }

  /** A result counts all messages before it. */
  close(usage: Fields): void {
    const total = amountOf(usage);
    const sum = total.input + total.output > 0 ? total : this.#open();
    this.#closed = add(this.#closed, sum);
    this.#messages.clear();
  }

  total(): Amount {
    return add(this.#closed, this.#open());
  }

  #open(): Amount {
    return [...this.#messages.values()].reduce(add, { input: 0, output: 0 });
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
