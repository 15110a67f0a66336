// A stream of blocks in scratch space, read again one block at a time. Where each block lies is held in memory.
import { assert } from '../../../base/assert.ts';
import type { Spill, SpillFile } from '../../../base/spill.ts';
import type { BlockStream } from '../../../model/record-block.ts';

interface Place {
  readonly count: number;
  /** Of its records. */
  readonly length: number;
}

export class SpilledBlocks implements AsyncDisposable {
  readonly #file: SpillFile;
  readonly #places: Place[] = [];

  private constructor(file: SpillFile) {
    this.#file = file;
  }

  /** Takes all of the stream in. */
  static async write(blocks: BlockStream, spill: Spill): Promise<SpilledBlocks> {
    const spilled = new SpilledBlocks(await spill.open());
    try {
      for await (const { bytes, bounds, count } of blocks) {
        const head = boundsBytes(count);
        const whole = Buffer.allocUnsafe(head + bytes.length);
        whole.set(new Uint8Array(bounds.buffer, bounds.byteOffset, head));
        whole.set(bytes, head);
        await spilled.#file.append(whole);
        spilled.#places.push({ count, length: bytes.length });
      }
    } catch (error) {
      await spilled[Symbol.asyncDispose]();
      throw error;
    }
    return spilled;
  }

  async *read(): BlockStream {
    let at = 0;
    for (const { count, length } of this.#places) {
      const head = boundsBytes(count);
      const whole = await this.#file.read(at, head + length);
      assert(whole.length === head + length, 'scratch space gives back what it took');
      at += whole.length;
      const bounds = new Uint32Array(2 * count + 1);
      new Uint8Array(bounds.buffer).set(whole.subarray(0, head));
      yield { bytes: whole.subarray(head), bounds, count };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}

const boundsBytes = (count: number): number => 4 * (2 * count + 1);
