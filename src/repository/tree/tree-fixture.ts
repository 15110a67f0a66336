// What the tests of trees share: fixed keys, small cut parameters, seeded records, naive twins.
import { createHash } from 'node:crypto';
import { compareBytes } from '../../base/bytes.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';
import { type CutHashing, openCutHashing } from '../leaf/cut-hashing.ts';
import type { CutParameters } from './cut-parameters.ts';
import { joinParts } from './join.ts';
import { MemoryLeafStore } from './memory-leaf-store.ts';
import { buildRange } from './range-builder.ts';
import type { TreeContext } from './tree-level.ts';
import type { TreePart } from './tree-part.ts';
import type { TreeRoot } from './tree-root.ts';

/** Boundary keys from a fixed text: no secret, the same in every run. */
export const fixedHashing: CutHashing = await openCutHashing({
  boundarySeed: 0x0123456789abcdefn,
  boundary: (level, salt) =>
    createHash('sha256').update(`boundary ${level} ${salt}`).digest().subarray(0, 16),
});

/** Every key has the same hash: no cut is ever decided by it. */
export const equalHashing: CutHashing = {
  hash: (_place, _items, from, to, out) => out.fill(7, 0, to - from),
};

/** Small numbers, so that a few hundred records make a tree of several levels. */
export const smallCut: CutParameters = {
  id: 'cut-test',
  leafBytes: 512,
  leafBytesMax: 4096,
  valueInlineBytesMax: 300,
  chunkBytes: 128,
};

export const fixedKeyId = createHash('sha256').update('id').digest();

export function memoryContext(
  cut: CutParameters = smallCut,
  hashing = fixedHashing,
): TreeContext & { readonly sink: MemoryLeafStore } {
  return { sink: new MemoryLeafStore(fixedKeyId), hashing, cut };
}

/** `count` records of 12-byte keys and values of up to `valueBytesMax`, the same for equal seeds. */
export function seededRecords(seed: number, count: number, valueBytesMax = 60): DataRecord[] {
  const records = Array.from({ length: count }, (_, i): DataRecord => {
    const digest = createHash('sha256').update(`${seed} ${i}`).digest();
    const length = digest.readUInt32LE(12) % (valueBytesMax + 1);
    return { key: digest.subarray(0, 12), value: Buffer.alloc(length, digest) };
  });
  return sorted(records);
}

export function sorted(records: Iterable<DataRecord>): DataRecord[] {
  return [...records].sort((a, b) => compareBytes(a.key, b.key));
}

/** The records in batches of `batchCount`. */
export async function* streamOf(records: readonly DataRecord[], batchCount = 37): RecordStream {
  for (let i = 0; i < records.length; i += batchCount) yield records.slice(i, i + batchCount);
}

/** Builds the records as ranges that end before each of `bounds` (indexes, ascending). */
export async function partsOf(
  records: readonly DataRecord[],
  bounds: readonly number[],
  context: TreeContext,
): Promise<TreePart[]> {
  const parts: TreePart[] = [];
  for (let i = 0; i <= bounds.length; i++) {
    const range = records.slice(bounds[i - 1] ?? 0, bounds[i] ?? records.length);
    parts.push(await buildRange(streamOf(range), context));
  }
  return parts;
}

export async function treeOf(
  records: readonly DataRecord[],
  context: TreeContext,
  bounds: readonly number[] = [],
): Promise<TreeRoot> {
  return joinParts(await partsOf(records, bounds, context), context);
}

export async function collect<T>(batches: AsyncIterable<Iterable<T>>): Promise<T[]> {
  const items: T[] = [];
  for await (const batch of batches) items.push(...batch);
  return items;
}
