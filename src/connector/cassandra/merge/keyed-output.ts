// What the stages behind the merge give out: the record of a partition's key is held back until another record of the
// partition is left, since alone it says nothing.

import type { RecordBlock } from '../../../model/record-block.ts';
import type { BlockBuilder } from '../record/block-builder.ts';

export class KeyedOutput {
  readonly #out: BlockBuilder;
  #key: { readonly block: RecordBlock; readonly index: number } | undefined;

  constructor(out: BlockBuilder) {
    this.#out = out;
  }

  /** Another partition begins. */
  enter(): void {
    this.#key = undefined;
  }

  /** Its key. */
  hold(block: RecordBlock, index: number): void {
    this.#key = { block, index };
  }

  /** A record as it is. */
  copy(block: RecordBlock, index: number): void {
    this.#give();
    this.#take(block, index);
  }

  /** A record with another value. */
  add(bytes: Uint8Array, start: number, middle: number, value: Uint8Array, length: number): void {
    this.#give();
    this.#out.add(bytes, start, middle, value, length);
  }

  #give(): void {
    if (this.#key === undefined) return;
    const { block, index } = this.#key;
    this.#key = undefined;
    this.#take(block, index);
  }

  #take({ bytes, bounds }: RecordBlock, index: number): void {
    const at = 2 * index;
    this.#out.copy(bytes, bounds[at] as number, bounds[at + 1] as number, bounds[at + 2] as number);
  }
}
