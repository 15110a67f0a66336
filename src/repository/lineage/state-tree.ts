// Keeps a whole state as a tree: a record a key, cut like any dataset, so that the next stored state costs
// only what has changed since. All its blobs go to tree packs.
import { fromHex, toHex, view } from '../../base/bytes.ts';
import { leafId } from '../../model/id.ts';
import { wholeRange } from '../../model/key-range.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';
import type { LeafSink, LeafSource } from '../leaf/leaf-store.ts';
import { joinParts } from '../tree/join.ts';
import { buildRange } from '../tree/range-builder.ts';
import type { TreeContext } from '../tree/tree-level.ts';
import { readTree } from '../tree/tree-reader.ts';
import type { StoredState } from './entry-codec.ts';
import type { StateText } from './lineage.ts';

const batchCount = 4096;

/** Builds the tree; durable once the session behind `context.sink` is flushed and the entry committed. */
export async function storeStateTree(
  texts: readonly StateText[],
  context: TreeContext,
): Promise<StoredState> {
  const intoTreePacks: LeafSink = { put: (_kind, blobs) => context.sink.put('node', blobs) };
  const inTrees = { ...context, sink: intoTreePacks };
  const root = await joinParts([await buildRange(recordsOf(texts), inTrees)], inTrees);
  const { id, height, records, bytes } = root;
  return { root: toHex(id), height, records, bytes };
}

/** Errors: `object-missing`, `object-damaged`. */
export async function* loadStateTree(
  stored: StoredState,
  source: LeafSource,
  cut: string,
): AsyncGenerator<StateText[], void, void> {
  const fromTreePacks: LeafSource = { get: (_kind, ids) => source.get('node', ids) };
  const { root, height, records, bytes } = stored;
  const tree = { id: leafId(fromHex(root)), height, records, bytes, cut };
  for await (const batch of readTree(fromTreePacks, tree, wholeRange)) {
    yield batch.map(
      ({ key, value }): StateText => [view(key).toString('utf8'), view(value).toString('utf8')],
    );
  }
}

async function* recordsOf(texts: readonly StateText[]): RecordStream {
  for (let at = 0; at < texts.length; at += batchCount) {
    yield texts.slice(at, at + batchCount).map(
      ([key, text]): DataRecord => ({
        key: Buffer.from(key, 'utf8'),
        value: Buffer.from(text, 'utf8'),
      }),
    );
  }
}
