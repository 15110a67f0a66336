// Replicas that hold the same files, byte for byte, as after an import: what one of them says all of them say, so the
// files are decoded once. That they are the same is not believed but seen: whatever is read of one is read of all.
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { view } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import type { FileAccess } from '../../../base/file-access.ts';
import { type HeldSstable, type ListedSstable, openSstable } from '../session/node-files.ts';
import { damaged, type RandomAccessFile } from '../sstable/sstable-files.ts';
import { readStatistics } from '../sstable/statistics.ts';

/** A replica's files, and of the others in the same order those that should be the same. */
export interface Twins<Replica> {
  readonly first: Replica;
  readonly others: readonly Replica[];
}

/** A file of one node, and who reads it. */
export interface TwinFile {
  /** Of the node. */
  readonly address: string;
  readonly file: ListedSstable;
  readonly access: Pick<FileAccess, 'open'>;
}

/** Says what the server keeps of itself: the level, whether it was repaired. */
const statistics = 'Statistics.db';
const butSame = 'though both have one checksum';

const nameOf = ({ address, file: { folder, name } }: TwinFile): string =>
  `${address}, ${join(folder, name)}`;

/** Groups replicas whose files have the same lengths and checksums. Those of a group have them in one order. */
export function twinsOf<Replica extends { readonly files: readonly ListedSstable[] }>(
  replicas: readonly Replica[],
): Twins<Replica>[] {
  const ordered = replicas.map((replica) => {
    const files = replica.files.toSorted(byLooks);
    return { ...replica, files };
  });
  const groups = Map.groupBy(ordered, ({ files }, i) => {
    // Without a checksum nothing says that two files may be the same.
    const isKnown = files.every(({ digest }) => digest !== '');
    return isKnown ? files.map(looksOf).join('\n') : `replica ${i}`;
  });
  return [...groups.values()].map(([first, ...others]) => ({ first: first as Replica, others }));
}

function byLooks(a: ListedSstable, b: ListedSstable): number {
  const [one, other] = [looksOf(a), looksOf(b)];
  return one < other ? -1 : Number(one > other);
}

function looksOf({ version, format, dataBytes, digest, components }: ListedSstable): string {
  return [version, format, dataBytes, digest, ...components.toSorted()].join(' ');
}

/**
 * Opens files as one. Errors: `file-damaged` when bytes that are read of the first are others in one of the others,
 * though they have the same length and checksum.
 */
export async function openTwins(twins: readonly TwinFile[]): Promise<HeldSstable> {
  // By its own name alone a file would be that of any node.
  const held = twins.map((twin) => {
    return { ...openSstable(twin.file, () => twin.access), name: nameOf(twin) };
  });
  const [one, ...more] = held as [HeldSstable, ...HeldSstable[]];
  const close = async (): Promise<void> => {
    await Promise.all(held.map((files) => files[Symbol.asyncDispose]()));
  };
  try {
    await compareHeaders(one, more);
  } catch (error) {
    await close();
    throw error;
  }
  if (more.length === 0) return one;
  const { name, version, format } = one;
  return {
    ...{ name, version, format },
    has: (component) => one.has(component),
    open: async (component) => {
      if (component === statistics) return one.open(component);
      const files = await Promise.all(held.map((files) => files.open(component)));
      return new TwinReads(component, files, twins);
    },
    [Symbol.asyncDispose]: close,
  };
}

/** How the data is to be decoded. */
async function compareHeaders(first: HeldSstable, others: readonly HeldSstable[]): Promise<void> {
  if (others.length === 0) return;
  const { header, partitioner } = await readStatistics(first);
  for (const other of others) {
    const its = await readStatistics(other);
    if (
      isDeepStrictEqual(
        { header, partitioner },
        { header: its.header, partitioner: its.partitioner },
      )
    )
      continue;
    throw damaged(other, statistics, `its header is not that of ${first.name}, ${butSame}`);
  }
}

class TwinReads implements RandomAccessFile {
  readonly size: number;
  readonly #component: string;
  readonly #files: readonly RandomAccessFile[];
  readonly #of: readonly TwinFile[];
  /** Memory for what the others say; two reads may be on their way. */
  readonly #spare: Buffer[] = [];

  constructor(component: string, files: readonly RandomAccessFile[], of: readonly TwinFile[]) {
    this.#component = component;
    this.#files = files;
    this.#of = of;
    this.size = files[0]?.size ?? 0;
  }

  async read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const [first, ...others] = this.#files as [RandomAccessFile, ...RandomAccessFile[]];
    const bytes = await first.read(position, length, into);
    const memory = this.#memory(length);
    for (const [i, other] of others.entries()) {
      const its = await other.read(position, length, memory);
      if (view(its).equals(bytes) && other.size === this.size) continue;
      const [one, odd] = [this.#of[0], this.#of[i + 1]] as [TwinFile, TwinFile];
      const object = `${nameOf(odd)}-${this.#component}`;
      const message = `${object} has other bytes than that of ${nameOf(one)}, ${butSame}`;
      const facts = { node: odd.address, position, length };
      throw new CodrError('file-damaged', message, { object, facts });
    }
    this.#spare.push(memory);
    return bytes;
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()));
  }

  #memory(length: number): Buffer {
    const memory = this.#spare.pop();
    return memory && memory.length >= length ? memory : Buffer.allocUnsafe(length);
  }
}
