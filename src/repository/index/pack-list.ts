// The packs that an index object names, as the bytes that they are stored in: an object of a large repository names
// 16,000 of them, and is seldom asked for more than a few.
import { fromHex, toHex, view } from '../../base/bytes.ts';
import { type PackId, packId } from '../../model/id.ts';
import type { PackKind, PackRef } from '../pack/pack-format.ts';

/** Id, kind, three zeros, leaves, stored bytes. */
export const packEntryBytes = 44;

export function encodePacks(packs: readonly PackRef[]): Buffer {
  const out = Buffer.alloc(packs.length * packEntryBytes);
  for (const [i, pack] of packs.entries()) {
    const at = i * packEntryBytes;
    out.set(fromHex(pack.id), at);
    out[at + 32] = pack.kind.charCodeAt(0);
    out.writeUInt32LE(pack.leaves, at + 36);
    out.writeUInt32LE(pack.bytes, at + 40);
  }
  return out;
}

export class PackList implements Iterable<PackRef> {
  readonly length: number;
  readonly #bytes: Buffer;
  /** What was read last: leaves that are looked for together often lie together. */
  #last: { readonly number: number; readonly ref: PackRef } | undefined;

  /** As they are encoded; a copy is made. */
  constructor(bytes: Uint8Array) {
    this.#bytes = view(new Uint8Array(bytes));
    this.length = bytes.length / packEntryBytes;
  }

  /** Undefined past the end. */
  at(number: number): PackRef | undefined {
    if (this.#last?.number === number) return this.#last.ref;
    if (number >= this.length) return undefined;
    const bytes = this.#bytes;
    const at = number * packEntryBytes;
    const ref: PackRef = {
      id: packId(toHex(bytes.subarray(at, at + 32))),
      kind: String.fromCharCode(bytes[at + 32] as number) as PackKind,
      leaves: bytes.readUInt32LE(at + 36),
      bytes: bytes.readUInt32LE(at + 40),
    };
    this.#last = { number, ref };
    return ref;
  }

  hasSome(packs: ReadonlySet<PackId>): boolean {
    for (const { id } of this) if (packs.has(id)) return true;
    return false;
  }

  *[Symbol.iterator](): Generator<PackRef> {
    for (let number = 0; number < this.length; number++) yield this.at(number) as PackRef;
  }
}
