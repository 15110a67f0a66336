// Scratch space as an argument: where work goes that is larger than its memory limit. `node/` gives a
// folder of temporary files, tests give memory. Nothing in it outlives the process.

export interface Spill {
  /** An empty scratch file, gone when disposed. */
  open(): Promise<SpillFile>;
}

export interface SpillFile extends AsyncDisposable {
  /** Appends; the bytes may be reused by the caller once the promise resolves. */
  append(bytes: Uint8Array): Promise<void>;
  /** Reads `length` bytes at `offset`; shorter only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  readonly length: number;
}

/** Scratch space in memory, for tests and simulation. */
export class MemorySpill implements Spill {
  async open(): Promise<SpillFile> {
    let content = Buffer.alloc(0);
    return {
      get length() {
        return content.length;
      },
      async append(bytes) {
        content = Buffer.concat([content, bytes]);
      },
      async read(offset, length) {
        return Buffer.from(content.subarray(offset, offset + length));
      },
      async [Symbol.asyncDispose]() {
        content = Buffer.alloc(0);
      },
    };
  }
}
