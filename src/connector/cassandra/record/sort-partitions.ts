// Whole partitions of a stream in another order, in bounded memory: what is sorted are keys with pieces of their
// partition behind them, which go to scratch space together. The sort is stable, so the pieces of a partition stay in
// their order however large it is; none is ever held as a whole.
import { assert } from '../../../base/assert.ts';
import { type SortOptions, type SortRecord, sortRecords } from '../../../base/external-sort.ts';
import type { BlockStream, RecordBlock } from '../../../model/record-block.ts';
import { rawPartitionKey } from '../key/record-key.ts';
import { BlockBuilder } from './block-builder.ts';
import { PartitionTracker, recordKinds } from './record-key.ts';

export interface PartitionSort<Group> {
  /** What a partition is sorted by, fresh memory; undefined leaves it out. `prefix`: as its keys begin. */
  readonly placeOf: (rawKey: Uint8Array, prefix: Uint8Array) => Uint8Array | undefined;
  /** By what `placeOf` gave: blocks hold one group each. */
  readonly groupOf: (place: Uint8Array) => Group;
}

export interface SortSpace extends SortOptions {
  readonly signal: AbortSignal;
}

export interface GroupedBlock<Group> {
  readonly group: Group;
  readonly block: RecordBlock;
}

/** A piece ends after so many bytes. */
const pieceBytesMax = 64 * 1024;

/** `input` holds the records of each partition side by side, in order. Scratch space goes with the stream. */
export async function* sortPartitions<Group>(
  input: BlockStream,
  { placeOf, groupOf }: PartitionSort<Group>,
  { signal, ...options }: SortSpace,
): AsyncGenerator<GroupedBlock<Group>, void, void> {
  const out = new BlockBuilder();
  let last: { readonly place: Uint8Array; readonly group: Group } | undefined;
  for await (const batch of sortRecords(pieces(input, placeOf), options)) {
    signal.throwIfAborted();
    for (const { key, value } of batch) {
      const group = groupOf(key);
      if (last && out.count > 0 && (last.group !== group || out.full)) {
        yield { group: last.group, block: out.take() };
      }
      last = { place: key, group };
      addPiece(out, value);
    }
  }
  if (last && out.count > 0) yield { group: last.group, block: out.take() };
}

async function* pieces(
  input: BlockStream,
  placeOf: PartitionSort<unknown>['placeOf'],
): AsyncGenerator<readonly SortRecord[], void, void> {
  const tracker = new PartitionTracker();
  let place: Uint8Array | undefined;
  for await (const block of input) {
    const { bytes, bounds, count } = block;
    const batch: SortRecord[] = [];
    let begin = 0;
    const end = (to: number): void => {
      if (to > begin && place) batch.push({ key: place, value: encodePiece(block, begin, to) });
      begin = to;
    };
    for (let i = 0; i < count; i++) {
      const [start, middle] = [bounds[2 * i] as number, bounds[2 * i + 1] as number];
      if (tracker.enter(bytes, start, middle)) {
        end(i);
        const { partition } = tracker;
        const raw = rawPartitionKey(partition);
        // A key that is cut stands whole in the partition's first record.
        const isHere = raw || tracker.kind(bytes, start, middle) === recordKinds.partitionKey;
        assert(isHere, 'a partition whose key is cut begins with it');
        place = placeOf(raw ?? bytes.subarray(middle, bounds[2 * i + 2]), partition);
      } else if (start - (bounds[2 * begin] as number) >= pieceBytesMax) {
        end(i);
      }
    }
    end(count);
    if (batch.length > 0) yield batch;
  }
}

/** u32 count | 2 × count + 1 u32 bounds | the records as they lie in their block. */
function encodePiece({ bytes, bounds }: RecordBlock, from: number, to: number): Uint8Array {
  const start = bounds[2 * from] as number;
  const end = bounds[2 * to] as number;
  const head = 4 * (2 * (to - from) + 2);
  const piece = Buffer.allocUnsafeSlow(head + end - start);
  piece.writeUInt32BE(to - from, 0);
  for (let i = 2 * from, at = 4; i <= 2 * to; i++, at += 4) {
    piece.writeUInt32BE((bounds[i] as number) - start, at);
  }
  piece.set(bytes.subarray(start, end), head);
  return piece;
}

function addPiece(out: BlockBuilder, piece: Uint8Array): void {
  const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
  const count = view.getUint32(0);
  const head = 4 * (2 * count + 2);
  for (let i = 0, at = 4; i < count; i++, at += 8) {
    const [start, middle] = [view.getUint32(at), view.getUint32(at + 4)];
    out.copy(piece, head + start, head + middle, head + view.getUint32(at + 8));
  }
}
