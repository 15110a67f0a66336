// Objects in the memory of one process: the twin of the local store for tests and simulation.
// Deterministic; ages come from the clock that it is given. Nothing outlives the instance.
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import { assertFolderPrefix, assertObjectName, bodyBytes, resolveRange } from '../object-name.ts';
import type { ByteRange, ObjectStore, StoredObject } from '../object-store.ts';

interface HeldObject {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

export class MemoryObjectStore implements ObjectStore {
  readonly url = 'memory:';
  readonly #objects = new Map<string, HeldObject>();
  /** The names of `#objects`, ascending. */
  readonly #names: string[] = [];
  readonly #clock: Pick<Clock, 'now'>;

  constructor(clock: Pick<Clock, 'now'> = { now: () => 0 }) {
    this.#clock = clock;
  }

  async create(
    name: string,
    body: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<'created' | 'exists'> {
    assertObjectName(name);
    signal?.throwIfAborted();
    if (this.#objects.has(name)) return 'exists';
    this.#assertNoFolder(name);
    const bytes = ownedBytes(bodyBytes(body));
    let at = 0;
    for (const part of body) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#objects.set(name, { bytes, modifiedMs: this.#clock.now() });
    this.#names.splice(this.#indexOf(name), 0, name);
    return 'created';
  }

  async get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    assertObjectName(name);
    signal?.throwIfAborted();
    const held = this.#objects.get(name);
    if (!held) {
      throw new CodrError('object-missing', `there is no object ${name}`, { object: name });
    }
    const { offset, length } = resolveRange(range, held.bytes.length);
    const copy = ownedBytes(length);
    copy.set(held.bytes.subarray(offset, offset + length));
    return copy;
  }

  async stat(name: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    assertObjectName(name);
    signal?.throwIfAborted();
    return this.#describe(name);
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject> {
    assertFolderPrefix(prefix);
    signal?.throwIfAborted();
    for (const name of this.#namesUnder(prefix)) {
      signal?.throwIfAborted();
      const object = this.#describe(name);
      if (object) yield object;
    }
  }

  async listFolders(prefix: string, signal?: AbortSignal): Promise<string[]> {
    assertFolderPrefix(prefix);
    signal?.throwIfAborted();
    const folders = new Set<string>();
    for (const name of this.#namesUnder(prefix)) {
      const slash = name.indexOf('/', prefix.length);
      if (slash >= 0) folders.add(name.slice(prefix.length, slash));
    }
    return [...folders].sort();
  }

  async remove(name: string, signal?: AbortSignal): Promise<void> {
    assertObjectName(name);
    signal?.throwIfAborted();
    if (this.#objects.delete(name)) this.#names.splice(this.#indexOf(name), 1);
  }

  #describe(name: string): StoredObject | undefined {
    const held = this.#objects.get(name);
    return held && { name, size: held.bytes.length, modifiedMs: held.modifiedMs };
  }

  /** Index of the first name that is not less than `name`. */
  #indexOf(name: string): number {
    let [low, high] = [0, this.#names.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#names[middle] as string) < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #namesUnder(prefix: string): string[] {
    const from = this.#indexOf(prefix);
    let to = from;
    while (this.#names[to]?.startsWith(prefix)) to++;
    return this.#names.slice(from, to);
  }

  /** As in a file system, a name cannot be the folder of another one. */
  #assertNoFolder(name: string): void {
    assert(this.#namesUnder(`${name}/`).length === 0, `"${name}" must not be a folder already`);
    const parts = name.split('/');
    for (let count = 1; count < parts.length; count++) {
      const folder = parts.slice(0, count).join('/');
      assert(!this.#objects.has(folder), `"${folder}" must not be both an object and a folder`);
    }
  }
}

/** Memory of its own, not a piece of Node's shared pool: the owner may transfer it. */
function ownedBytes(length: number): Uint8Array {
  return Buffer.allocUnsafeSlow(length);
}
