// Records of a range at one cut: the trees of the base copy and of all later cuts, merged; then the table's
// schema of that cut decides which columns count, and the live form what a reader would see.

import { assert } from '../../base/assert.ts';
import type { RecordStream } from '../../model/record.ts';
import { type BlockStream, batchesOf, blockOf } from '../../model/record-block.ts';
import type { FoldInput, LaterCuts, LiveForm } from '../connector.ts';
import { keptIn } from './kept-records.ts';
import { partitionEnd } from './key/record-key.ts';
import { dropColumns, type LiveFormOptions, liveForm } from './merge/live-form.ts';
import { mergeBlocks } from './merge/merge-blocks.ts';
import { purgeDeletions } from './merge/purge-deletions.ts';
import { withinRanges } from './merge/within-ranges.ts';
import { tableBodyOf } from './schema/table-body.ts';
import type { TableSchema } from './schema/table-schema.ts';
import { purgeOf } from './session/horizon.ts';

const never = new AbortController().signal;

export async function* foldRange({ range, base, later }: FoldInput): RecordStream {
  assert(later, 'a fold of cuts has a schema');
  const isWhole = range.from === undefined || leadIn(range.from).length === range.from.length;
  assert(isWhole || !later.stored?.provenBy, 'a fold that purges begins with a partition');
  const { schema } = tableBodyOf(later.entry);
  const [first, ...others] = [base, ...later.cuts].map(blocksOf) as [BlockStream, ...BlockStream[]];
  // A tree alone is what a merge has given.
  const isMerged = isWhole && others.length === 0;
  const merged = isMerged
    ? first
    : mergeBlocks([first, ...others], {
        signal: never,
        clusteringCount: schema.clustering.length,
        givesViews: true,
        ...(range.from && { from: range.from }),
      });
  const { live } = later;
  const wanted = live?.within ? withinRanges(merged, live.within) : merged;
  const folded = live
    ? keptIn(liveForm(wanted, { schema, ...liveOptions(live) }), schema, live)
    : later.stored
      ? storedForm(merged, later.stored, schema)
      : dropColumns(merged, schema);
  yield* batchesOf(folded);
}

/** For a tree in place of others: what the schema takes away stays, since a read takes it away. */
function storedForm(
  merged: BlockStream,
  { provenBy }: NonNullable<LaterCuts['stored']>,
  schema: TableSchema,
): BlockStream {
  const purge = provenBy && purgeOf(provenBy, schema);
  return purge ? purgeDeletions(merged, purge) : merged;
}

/** Deletions of a partition and of ranges in it stand before the rows that they concern. */
export function leadIn(key: Uint8Array): Uint8Array {
  return key.length <= 8 ? key : key.subarray(0, partitionEnd(key, 0, key.length));
}

/** The live form at one second, for streams that are merged already. */
export function liveAt(merged: BlockStream, schema: TableSchema, nowMs: number): BlockStream {
  return liveForm(merged, { schema, nowSeconds: Math.floor(nowMs / 1000), ttl: 'keep' });
}

function liveOptions(live: LiveForm): Omit<LiveFormOptions, 'schema'> {
  const { nowMs, ttl, rebaseMs, cutMs, expirySecondsMax } = live;
  return {
    nowSeconds: Math.floor(nowMs / 1000),
    ttl: ttl === 'rebase' ? { rebaseSeconds: Math.floor(rebaseMs / 1000) } : ttl,
    liveAtSeconds: Math.floor(cutMs / 1000),
    keepTombstones: live.deletions !== undefined,
    ...(expirySecondsMax !== undefined && { expirySecondsMax }),
  };
}

async function* blocksOf(records: RecordStream): BlockStream {
  for await (const batch of records) {
    if (batch.length > 0) yield blockOf(batch);
  }
}
