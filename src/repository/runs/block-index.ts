// The index of a run: blocks that name the first place of each block below, so that a reader seeks
// without the heap ever holding a big run's index. Levels are added until one block names all.
import {
  ByteReader,
  ByteWriter,
  commonPrefixLength,
  compareBytes,
  concatBytes,
  emptyBytes,
  fromHex,
} from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { type DatasetId, datasetId, packId } from '../../model/id.ts';
import type { SourceTime } from '../../model/time.ts';
import { blockBytesMax, readTable, writeTable } from './run-codec.ts';
import { type Block, type BlockRef, readDigest } from './run-ref.ts';

/** One block below: where it is, what it must hold, where it begins, and its effective times. */
export interface IndexEntry extends Block {
  readonly dataset: DatasetId;
  readonly key: Uint8Array;
  readonly minTime: SourceTime;
  readonly maxTime: SourceTime;
}

const indexFormat = 0x81;

/** Most bytes an entry adds besides its key, with names of datasets and packs counted as if new. */
const entryBytesMax = 256;

/** True when `count` entries with `keyBytes` of keys surely fit into one index block. */
export function indexFits(count: number, keyBytes: number): boolean {
  return count * entryBytesMax + keyBytes <= blockBytesMax;
}

export function encodeIndex(entries: readonly IndexEntry[]): Uint8Array {
  const datasets = new Map<string, number>();
  const packs = new Map<string, number>();
  for (const { dataset, ref } of entries) {
    if (!datasets.has(dataset)) datasets.set(dataset, datasets.size);
    if ('pack' in ref && !packs.has(ref.pack)) packs.set(ref.pack, packs.size);
  }
  const writer = new ByteWriter(blockBytesMax).u8(indexFormat).varint(entries.length);
  writeTable(writer, [...datasets.keys()]);
  writeTable(writer, [...packs.keys()]);
  let before: Uint8Array = emptyBytes;
  for (const { dataset, key, minTime, maxTime, ref, digest } of entries) {
    const shared = commonPrefixLength(before, key);
    writer.varint(datasets.get(dataset) as number);
    writer.varint(shared).prefixed(key.subarray(shared)).u64(minTime).u64(maxTime);
    if ('pack' in ref) writer.varint((packs.get(ref.pack) as number) + 1).varint(ref.frame);
    else writer.varint(0).varint(ref.offset).varint(ref.length);
    writer.bytes(fromHex(digest));
    before = key;
  }
  return writer.finish();
}

/** Errors: `format-unknown`, `object-damaged`. */
export function decodeIndex(raw: Uint8Array): IndexEntry[] {
  try {
    return readIndex(new ByteReader(raw));
  } catch (cause) {
    if (cause instanceof CodrError) throw cause;
    throw new CodrError('object-damaged', 'an index block of a run cannot be read', { cause });
  }
}

function readIndex(reader: ByteReader): IndexEntry[] {
  const format = reader.u8();
  if (format !== indexFormat) {
    throw new CodrError('format-unknown', `index format ${format} of a run is not known`);
  }
  const count = reader.varint();
  const datasets = readTable(reader).map(datasetId);
  const packs = readTable(reader).map(packId);
  const entries: IndexEntry[] = [];
  let key: Uint8Array = emptyBytes;
  for (let i = 0; i < count; i++) {
    const dataset = datasets[reader.varint()];
    key = concatBytes([key.subarray(0, reader.varint()), reader.prefixed()]);
    const [minTime, maxTime] = [reader.u64(), reader.u64()];
    const pack = reader.varint();
    const name = packs[pack - 1];
    if (dataset === undefined || (pack > 0 && name === undefined)) {
      throw new CodrError('object-damaged', 'an index block of a run names what it does not list');
    }
    const ref: BlockRef =
      name !== undefined
        ? { pack: name, frame: reader.varint() }
        : { offset: reader.varint(), length: reader.varint() };
    entries.push({ dataset, key, minTime, maxTime, ref, digest: readDigest(reader) });
  }
  if (reader.remaining === 0) return entries;
  throw new CodrError('object-damaged', 'an index block of a run has bytes after its last entry');
}

/** Order of places in a run: dataset, then key. */
export function comparePlaces(
  a: { readonly dataset: DatasetId; readonly key: Uint8Array },
  b: { readonly dataset: DatasetId; readonly key: Uint8Array },
): number {
  if (a.dataset !== b.dataset) return a.dataset < b.dataset ? -1 : 1;
  return compareBytes(a.key, b.key);
}
