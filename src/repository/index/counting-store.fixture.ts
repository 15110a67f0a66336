// A store that says how much of it was read.
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { ByteRange } from '../../storage/object-store.ts';

/** Adds up the bytes that are read. */
export class CountingStore extends MemoryObjectStore {
  readBytes = 0;

  override async get(name: string, range?: ByteRange): Promise<Uint8Array> {
    const bytes = await super.get(name, range);
    this.readBytes += bytes.length;
    return bytes;
  }
}
