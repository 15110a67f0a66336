import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BrokenPromiseError } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import type { DataRecord } from '../../model/record.ts';
import type { LeafSource } from '../leaf/leaf-store.ts';
import type { NodeEntry } from './node-codec.ts';
import { type Difference, diffTrees } from './tree-diff.ts';
import { collect, memoryContext, seededRecords, sorted, treeOf } from './tree-fixture.ts';
import { leafEntries, readLeafRecords } from './tree-reader.ts';
import type { TreeRoot } from './tree-root.ts';

/** Both sides as maps, every key looked up. */
function naiveDiff(left: readonly DataRecord[], right: readonly DataRecord[]): string[] {
  const ours = new Map(left.map(({ key, value }) => [toHex(key), toHex(value)]));
  const theirs = new Map(right.map(({ key, value }) => [toHex(key), toHex(value)]));
  return [...new Set([...ours.keys(), ...theirs.keys()])]
    .filter((key) => ours.get(key) !== theirs.get(key))
    .sort()
    .map((key) => `${key} ${ours.get(key) ?? '-'} ${theirs.get(key) ?? '-'}`);
}

function plain(differences: readonly Difference[]): string[] {
  const text = (value: Uint8Array | undefined): string => (value ? toHex(value) : '-');
  return differences.map(({ key, left, right }) => `${toHex(key)} ${text(left)} ${text(right)}`);
}

/** Deletes, changes and adds about `share` per mille of the records, by their position. */
function changed(records: readonly DataRecord[], seed: number, share: number): DataRecord[] {
  const extra = seededRecords(seed, Math.ceil((records.length * share) / 3000), 400);
  const kept = records.flatMap((record, i) => {
    const dice = (i * 7919 + seed * 104729) % 3000;
    if (dice < share) return [];
    if (dice < share * 2) return [{ key: record.key, value: Buffer.from(`changed ${seed}`) }];
    return [record];
  });
  const keys = new Set(kept.map((record) => toHex(record.key)));
  return sorted([...kept, ...extra.filter((record) => !keys.has(toHex(record.key)))]);
}

test('a diff yields what comparing every record yields, in key order', async () => {
  const property = fc.asyncProperty(
    fc.nat(500),
    fc.nat(900),
    fc.constantFrom(1, 10, 100, 700, 1500),
    async (seed, count, share) => {
      const context = memoryContext();
      const left = seededRecords(seed, count, 400);
      const right = changed(left, seed + 1, share);
      const roots = [await treeOf(left, context), await treeOf(right, context)] as const;
      const found = await collect(diffTrees(context.sink, ...roots));
      assert.deepEqual(plain(found), naiveDiff(left, right));
    },
  );
  await fc.assert(property, { numRuns: 25, seed: 3 });
});

test('trees of different height are compared, an empty one with a tall one too', async () => {
  const context = memoryContext();
  const tall = seededRecords(1, 1500);
  for (const low of [[], tall.slice(700, 703), tall.slice(0, 40)]) {
    const [left, right] = [await treeOf(tall, context), await treeOf(low, context)];
    assert.ok(left.height > right.height);
    assert.deepEqual(
      plain(await collect(diffTrees(context.sink, left, right))),
      naiveDiff(tall, low),
    );
    assert.deepEqual(
      plain(await collect(diffTrees(context.sink, right, left))),
      naiveDiff(low, tall),
    );
  }
});

test('equal trees are compared without a single fetch', async () => {
  const context = memoryContext();
  const root = await treeOf(seededRecords(2, 1000), context);
  assert.deepEqual(await collect(diffTrees(context.sink, root, { ...root })), []);
  assert.equal(context.sink.fetchCount, 0);
});

test('a diff fetches in proportion to what differs, not to what there is', async () => {
  const context = memoryContext();
  const records = seededRecords(3, 20_000);
  const left = await treeOf(records, context);
  for (const count of [1, 5, 25]) {
    const right = records.map((record, i) =>
      i % Math.floor(records.length / count) === 11
        ? { ...record, value: Buffer.from('new') }
        : record,
    );
    const root = await treeOf(right, context);
    context.sink.fetchCount = 0;
    const found = await collect(diffTrees(context.sink, left, root));
    assert.ok(found.length >= count && found.length <= count + 1);
    // On each side a path from the root, and a neighbour at each level where a cut has moved.
    const most = found.length * 2 * 2 * (left.height + 1);
    assert.ok(context.sink.fetchCount <= most, `${context.sink.fetchCount} fetched, not ${most}`);
  }
});

test('chunks are fetched for values that differ, and for no others', async () => {
  const context = memoryContext();
  const records = seededRecords(4, 50, 5000);
  const right = [...records];
  right[20] = { key: records[20]!.key, value: Buffer.alloc(1000, 1) };
  const roots = [await treeOf(records, context), await treeOf(right, context)] as const;
  const asked: string[] = [];
  const source = {
    get: (...[kind, ids]: Parameters<typeof context.sink.get>) => {
      for (const _ of ids) asked.push(kind);
      return context.sink.get(kind, ids);
    },
  };
  const [difference] = await collect(diffTrees(source, ...roots));
  assert.deepEqual(difference?.right, right[20].value);
  const chunkCount = Math.ceil(records[20]!.value.length / 128) + Math.ceil(1000 / 128);
  assert.equal(asked.filter((kind) => kind === 'chunk').length, chunkCount);
});

test('a value that spells the chunk ids of another is not equal to it', async () => {
  const context = memoryContext();
  const records = seededRecords(6, 20);
  const [large, spelt] = [[...records], [...records]];
  large[10] = { key: records[10]!.key, value: Buffer.alloc(301, 5) };
  const left = await treeOf(large, context);
  const leaf = (await readLeafRecords(context.sink, await leavesOf(context.sink, left))).find(
    (record) => record.externalBytes !== undefined,
  );
  spelt[10] = { key: records[10]!.key, value: leaf!.value };
  const right = await treeOf(spelt, context);
  const found = await collect(diffTrees(context.sink, left, right));
  assert.deepEqual(plain(found), naiveDiff(large, spelt));
  assert.equal(found.length, 1);
});

async function leavesOf(source: LeafSource, root: TreeRoot): Promise<NodeEntry[]> {
  return collect(leafEntries(source, root, {}));
}

test('neighbouring differences are fetched together', async () => {
  const context = memoryContext();
  const records = seededRecords(7, 4000);
  const right = records.map((record, i) =>
    i % 40 === 0 ? { key: record.key, value: Buffer.from('new') } : record,
  );
  const roots = [await treeOf(records, context), await treeOf(right, context)] as const;
  const { sink } = context;
  [sink.fetchCount, sink.getCount] = [0, 0];
  await collect(diffTrees(sink, ...roots));
  assert.ok(sink.fetchCount > 100);
  assert.ok(sink.getCount * 4 < sink.fetchCount, `${sink.getCount} for ${sink.fetchCount}`);
});

test('roots of other cut parameters are refused', async () => {
  const context = memoryContext();
  const root = await treeOf(seededRecords(5, 10), context);
  await assert.rejects(
    collect(diffTrees(context.sink, root, { ...root, cut: 'other' })),
    BrokenPromiseError,
  );
});
