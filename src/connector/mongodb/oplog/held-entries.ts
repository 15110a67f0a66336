// Raw entries of open transactions, by transaction: in memory up to one limit for all, after it in a spill
// file of each transaction's own. What is in memory is always older than what is in the file.

import { view } from '../../../base/bytes.ts';
import type { Spill, SpillFile } from '../../../base/spill.ts';

interface Held {
  readonly memory: Buffer[];
  bytes: number;
  file: SpillFile | undefined;
}

export class HeldEntries implements AsyncDisposable {
  readonly #spill: Spill;
  readonly #bytesMax: number;
  readonly #held = new Map<string, Held>();
  #bytes = 0;

  constructor(spill: Spill, bytesMax: number) {
    this.#spill = spill;
    this.#bytesMax = bytesMax;
  }

  /** Appends a copy of `raw` to what is held under `name`. */
  async keep(name: string, raw: Uint8Array): Promise<void> {
    let held = this.#held.get(name);
    if (!held) {
      held = { memory: [], bytes: 0, file: undefined };
      this.#held.set(name, held);
    }
    if (!held.file && this.#bytes + raw.length <= this.#bytesMax) {
      held.memory.push(Buffer.from(raw));
      held.bytes += raw.length;
      this.#bytes += raw.length;
      return;
    }
    held.file ??= await this.#spill.open();
    await held.file.append(raw);
  }

  rename(from: string, to: string): void {
    const held = this.#held.get(from);
    if (!held) return;
    this.#held.delete(from);
    this.#held.set(to, held);
  }

  /** The entries under `name`, in the order in which they were kept. */
  async *entries(name: string): AsyncGenerator<Buffer, void, undefined> {
    const held = this.#held.get(name);
    if (!held) return;
    yield* held.memory;
    const { file } = held;
    if (!file) return;
    // BSON tells its own length.
    for (let at = 0; at < file.length; ) {
      const length = view(await file.read(at, 4)).readInt32LE(0);
      yield view(await file.read(at, length));
      at += length;
    }
  }

  async discard(name: string): Promise<void> {
    const held = this.#held.get(name);
    if (!held) return;
    this.#held.delete(name);
    this.#bytes -= held.bytes;
    await held.file?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [...this.#held.keys()]) await this.discard(name);
  }
}
