// Values too large for a leaf leave it as chunks of their own and come back. Chunks are cut at fixed
// lengths from the value's start, so equal values share all chunks.
import { assert } from '../../base/assert.ts';
import { forEachLimit } from '../../base/async.ts';
import { concatBytes } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { type LeafId, leafId, leafIdBytes } from '../../model/id.ts';
import { type DataRecord, type RecordBatch, recordsOf } from '../../model/record.ts';
import type { LeafRecord } from '../leaf/leaf-codec.ts';
import type { LeafSource } from '../leaf/leaf-store.ts';
import { putBytes } from './blob-writer.ts';
import type { TreeContext } from './tree-level.ts';

const chunkPutsInFlight = 4;

/** The batch as leaves hold it: values over `valueInlineBytesMax` are put as chunks and replaced by ids. */
export async function moveLargeValuesOut(
  batch: RecordBatch,
  context: TreeContext,
): Promise<readonly LeafRecord[]> {
  const { valueInlineBytesMax, chunkBytes } = context.cut;
  const whole = recordsOf(batch);
  if (!whole.some((record) => record.value.length > valueInlineBytesMax)) return whole;
  const chunks: Uint8Array[] = [];
  const idsAt: { record: DataRecord; at: number; ids: Uint8Array }[] = [];
  const records = whole.map((record): LeafRecord => {
    const { key, value } = record;
    if (value.length <= valueInlineBytesMax) return record;
    const at = chunks.length;
    for (let i = 0; i < value.length; i += chunkBytes)
      chunks.push(value.subarray(i, i + chunkBytes));
    const ids = Buffer.allocUnsafe((chunks.length - at) * leafIdBytes);
    idsAt.push({ record, at, ids });
    return { key, value: ids, externalBytes: value.length };
  });
  const names = await putChunks(chunks, context);
  for (const { at, ids } of idsAt) {
    for (let i = 0; i < ids.length / leafIdBytes; i++) ids.set(names[at + i]!, i * leafIdBytes);
  }
  return records;
}

async function putChunks(chunks: readonly Uint8Array[], context: TreeContext): Promise<LeafId[]> {
  const count = Math.max(1, Math.floor(putBytes / context.cut.chunkBytes));
  const starts = Array.from({ length: Math.ceil(chunks.length / count) }, (_, i) => i * count);
  const names: LeafId[] = new Array(chunks.length);
  const put = async (start: number): Promise<void> => {
    const blobs = chunks.slice(start, start + count);
    const ids = await context.sink.put('chunk', blobs);
    assert(ids.length === blobs.length, 'a sink names every blob it is given');
    for (const [i, id] of ids.entries()) names[start + i] = id;
  };
  await forEachLimit(starts, context.putsInFlightMax ?? chunkPutsInFlight, put, context.signal);
  return names;
}

/** The ids of an external record's chunks, in order; none for an inline one. Views of the leaf. */
export function chunkIds(record: LeafRecord): LeafId[] {
  const ids: LeafId[] = [];
  if (record.externalBytes === undefined) return ids;
  for (let i = 0; i < record.value.length; i += leafIdBytes) {
    ids.push(leafId(record.value.subarray(i, i + leafIdBytes)));
  }
  return ids;
}

/** The records with their whole values; all chunks are asked for in one call. Errors: those of the source. */
export async function bringLargeValuesIn(
  records: readonly LeafRecord[],
  source: LeafSource,
): Promise<DataRecord[]> {
  const ids = records.flatMap(chunkIds);
  const chunks = ids.length > 0 ? await source.get('chunk', ids) : [];
  let at = 0;
  return records.map(({ key, value, externalBytes }) => {
    if (externalBytes === undefined) return { key, value };
    const own = chunks.slice(at, at + value.length / leafIdBytes);
    at += own.length;
    const whole = own.length === 1 ? own[0]! : concatBytes(own);
    if (whole.length === externalBytes) return { key, value: whole };
    throw new CodrError(
      'object-damaged',
      `chunks of a value hold ${whole.length} bytes, its leaf says ${externalBytes}`,
    );
  });
}
