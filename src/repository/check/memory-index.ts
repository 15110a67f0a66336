// Index objects that exist in memory alone.
import { concatBytes } from '../../base/bytes.ts';
import type { ByteRange, StoredObject } from '../../storage/object-store.ts';

export class MemoryIndex {
  readonly #objects = new Map<string, Uint8Array>();

  get all(): StoredObject[] {
    return [...this.#objects.keys()].flatMap((name) => this.stat(name) ?? []);
  }

  put(name: string, body: readonly Uint8Array[]): 'created' | 'exists' {
    if (this.#objects.has(name)) return 'exists';
    this.#objects.set(name, concatBytes([...body]));
    return 'created';
  }

  get(name: string, range?: ByteRange): Uint8Array | undefined {
    const bytes = this.#objects.get(name);
    if (!bytes || !range) return bytes?.slice();
    if ('suffix' in range) return bytes.slice(Math.max(0, bytes.length - range.suffix));
    return bytes.slice(range.offset, range.offset + range.length);
  }

  stat(name: string): StoredObject | undefined {
    const bytes = this.#objects.get(name);
    return bytes && { name, size: bytes.length, modifiedMs: 0 };
  }

  remove(name: string): void {
    this.#objects.delete(name);
  }
}
