// Sorts a stream of keyed byte records of any size in bounded memory: sorted runs go to scratch space and
// are merged, in several passes when there are many. Stable: records of equal keys keep their order.
import { ByteReader, ByteWriter, compareBytes, concatBytes, emptyBytes } from './bytes.ts';
import { CodrError } from './error.ts';
import type { Spill, SpillFile } from './spill.ts';

export interface SortRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface SortOptions {
  /** Upper bound of buffered records, in bytes with 64 for each; one record may exceed it alone. */
  readonly memoryBytesMax: number;
  readonly spill: Spill;
}

/** Sorted runs that one merge reads side by side. */
const fanInMax = 16;
const batchBytesMax = 256 * 1024;
const recordOverheadBytes = 64;

/** Part of a scratch file that holds one sorted run. */
interface Extent {
  readonly file: SpillFile;
  readonly offset: number;
  readonly length: number;
}

/** Batches in ascending key order. Scratch space is given back when the stream ends or is left. */
export async function* sortRecords(
  batches: AsyncIterable<Iterable<SortRecord>>,
  options: SortOptions,
): AsyncGenerator<readonly SortRecord[], void, void> {
  await using files = new AsyncDisposableStack();
  let buffered: SortRecord[] = [];
  let bufferedBytes = 0;
  let extents: Extent[] = [];
  let scratch: SpillFile | undefined;
  for await (const batch of batches) {
    for (const record of batch) {
      const bytes = record.key.length + record.value.length + recordOverheadBytes;
      if (buffered.length > 0 && bufferedBytes + bytes > options.memoryBytesMax) {
        scratch ??= files.use(await options.spill.open());
        extents.push(await writeExtent(scratch, [sorted(buffered)]));
        buffered = [];
        bufferedBytes = 0;
      }
      buffered.push(record);
      bufferedBytes += bytes;
    }
  }
  if (scratch === undefined) {
    yield* cut(sorted(buffered));
    return;
  }
  extents.push(await writeExtent(scratch, [sorted(buffered)]));
  buffered = [];
  while (extents.length > fanInMax) {
    const file: SpillFile = files.use(await options.spill.open());
    const joined: Extent[] = [];
    for (let i = 0; i < extents.length; i += fanInMax) {
      const group = extents.slice(i, i + fanInMax);
      joined.push(await writeExtent(file, mergeExtents(group, options.memoryBytesMax)));
    }
    await scratch[Symbol.asyncDispose]();
    scratch = file;
    extents = joined;
  }
  yield* mergeExtents(extents, options.memoryBytesMax);
}

/** Array.prototype.sort is stable by specification. */
function sorted(records: SortRecord[]): SortRecord[] {
  return records.sort((a, b) => compareBytes(a.key, b.key));
}

function* cut(records: readonly SortRecord[]): Generator<readonly SortRecord[]> {
  let batch: SortRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    batch.push(record);
    bytes += record.key.length + record.value.length;
    if (bytes < batchBytesMax) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

async function writeExtent(
  file: SpillFile,
  batches: Iterable<readonly SortRecord[]> | AsyncIterable<readonly SortRecord[]>,
): Promise<Extent> {
  const offset = file.length;
  let writer = new ByteWriter(batchBytesMax);
  for await (const batch of batches) {
    for (const { key, value } of batch) {
      writer.u32(key.length).u32(value.length).bytes(key).bytes(value);
      if (writer.length < batchBytesMax) continue;
      await file.append(writer.finish());
      writer = new ByteWriter(batchBytesMax);
    }
  }
  await file.append(writer.finish());
  return { file, offset, length: file.length - offset };
}

/** Merges runs; at equal keys the earlier run goes first, which keeps the sort stable. */
async function* mergeExtents(
  extents: readonly Extent[],
  memoryBytesMax: number,
): AsyncGenerator<readonly SortRecord[], void, void> {
  const readBytes = Math.max(4096, Math.min(batchBytesMax, memoryBytesMax / (2 * extents.length)));
  const cursors = extents.map((extent) => new ExtentCursor(extent, Math.floor(readBytes)));
  for (const cursor of cursors) await cursor.next();
  let batch: SortRecord[] = [];
  let bytes = 0;
  for (;;) {
    let least: ExtentCursor | undefined;
    for (const cursor of cursors) {
      if (cursor.record === undefined) continue;
      if (least?.record && compareBytes(least.record.key, cursor.record.key) <= 0) continue;
      least = cursor;
    }
    if (least?.record === undefined) break;
    batch.push(least.record);
    bytes += least.record.key.length + least.record.value.length + recordOverheadBytes;
    if (bytes >= Math.min(batchBytesMax, memoryBytesMax / 2)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    if (!least.step()) await least.next();
  }
  if (batch.length > 0) yield batch;
}

/** Reads the records of one extent through a small buffer. */
class ExtentCursor {
  record: SortRecord | undefined;
  readonly #extent: Extent;
  readonly #readBytes: number;
  #buffer: Uint8Array = emptyBytes;
  #read = 0;

  constructor(extent: Extent, readBytes: number) {
    this.#extent = extent;
    this.#readBytes = readBytes;
  }

  /** Takes the next record from the buffer; false when the buffer does not hold it whole. */
  step(): boolean {
    if (this.#buffer.length < 8) return false;
    const reader = new ByteReader(this.#buffer);
    const [keyLength, valueLength] = [reader.u32(), reader.u32()];
    if (reader.remaining < keyLength + valueLength) return false;
    this.record = { key: reader.bytes(keyLength), value: reader.bytes(valueLength) };
    this.#buffer = this.#buffer.subarray(reader.at);
    return true;
  }

  async next(): Promise<void> {
    while (!this.step()) {
      const { file, offset, length } = this.#extent;
      const count = Math.min(length - this.#read, this.#readBytes);
      if (count === 0 && this.#buffer.length === 0) {
        this.record = undefined;
        return;
      }
      const more = await file.read(offset + this.#read, count);
      if (count === 0 || more.length !== count) throw scratchDamaged();
      this.#read += count;
      this.#buffer = concatBytes([this.#buffer, more]);
    }
  }
}

/** Records that it does not give back would be missing without a word. */
function scratchDamaged(): CodrError {
  return new CodrError('failed', 'scratch space does not give back what was written to it', {
    remedy: 'check the disk of the temporary folder, or name another one with --temp-dir',
  });
}
