import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../test/harness/seed.ts';
import { toHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import { rangeHolds } from '../../model/key-range.ts';
import { batchBytes, type DataRecord } from '../../model/record.ts';
import type { LeafSource } from '../leaf/leaf-store.ts';
import { decodeNode, encodeNode } from './node-codec.ts';
import { collect, memoryContext, seededRecords, treeOf } from './tree-fixture.ts';
import { readTree, splitTree } from './tree-reader.ts';
import { walkTree } from './tree-walk.ts';

function plain(records: readonly DataRecord[]): string[] {
  return records.map(({ key, value }) => `${toHex(key)}=${toHex(value)}`);
}

test('a node without entries is refused', () => {
  const empty = encodeNode(1, []);
  assert.throws(
    () => decodeNode(1, empty),
    (error) => isCodrError(error, 'object-damaged'),
  );
});

test('any range reads back the records that were put into it', async () => {
  const records = seededRecords(1, 1200, 900);
  const context = memoryContext();
  const root = await treeOf(records, context);
  const bound = fc.oneof(
    fc.nat(records.length - 1).map((i) => records[i]!.key),
    fc.uint8Array({ minLength: 1, maxLength: 12 }),
    fc.constant(undefined),
  );
  const budget = fc.constantFrom(1, 2000, 50_000, 4_000_000);
  const property = fc.asyncProperty(bound, bound, budget, async (from, to, readAheadBytes) => {
    const range = { ...(from && { from }), ...(to && { to }) };
    const read = await collect(readTree(context.sink, root, range, { readAheadBytes }));
    assert.deepEqual(plain(read), plain(records.filter((record) => rangeHolds(range, record.key))));
  });
  await fc.assert(property, { numRuns: sampled(80), seed: 4 });
});

test('reading one record fetches one path, not the tree', async () => {
  const records = seededRecords(2, 5000);
  const context = memoryContext();
  const root = await treeOf(records, context);
  const range = { from: records[2500]!.key, to: records[2501]!.key };
  const read = await collect(readTree(context.sink, root, range));
  assert.deepEqual(plain(read), plain([records[2500]!]));
  assert.ok(context.sink.fetchCount <= root.height + 1);
});

test('reading everything asks for many leaves in one call', async () => {
  const context = memoryContext();
  const root = await treeOf(seededRecords(3, 5000), context);
  await collect(readTree(context.sink, root, {}));
  assert.ok(context.sink.fetchCount > 300);
  assert.ok(context.sink.getCount < 40, `${context.sink.getCount} calls`);
});

test('batches stay within a quarter of the read-ahead, or hold one leaf', async () => {
  const context = memoryContext();
  const root = await treeOf(seededRecords(4, 500, 2000), context);
  for await (const batch of readTree(context.sink, root, {}, { readAheadBytes: 40_000 })) {
    const bytes = batchBytes(batch);
    assert.ok(bytes <= 10_000, `${bytes} bytes`);
  }
});

test('a reader that stops early leaves no work behind', async () => {
  const context = memoryContext();
  const root = await treeOf(seededRecords(5, 3000), context);
  for await (const batch of readTree(context.sink, root, {}, { readAheadBytes: 4000 })) {
    assert.ok(batch.length > 0);
    break;
  }
  assert.ok(context.sink.fetchCount < 60, `${context.sink.fetchCount} blobs`);
});

test('an aborted signal ends a read with its reason', async () => {
  const context = memoryContext();
  const root = await treeOf(seededRecords(6, 300), context);
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  await assert.rejects(collect(readTree(context.sink, root, {}, { signal })), reason);
});

test('a missing leaf and a damaged node are named', async () => {
  const context = memoryContext();
  const { sink } = context;
  const root = await treeOf(seededRecords(7, 2000), context);
  const name = `node:${toHex(root.id)}`;
  const whole = sink.blobs.get(name)!;
  sink.blobs.set(name, whole.subarray(0, whole.length - 1));
  await assert.rejects(collect(readTree(sink, root, {})), (error) => {
    return isCodrError(error, 'object-damaged') && error.message.includes(toHex(root.id));
  });
  sink.blobs.delete(name);
  await assert.rejects(collect(readTree(sink, root, {})), (error) => {
    return isCodrError(error, 'object-missing');
  });
});

test('a value whose chunks are too short is refused', async () => {
  const context = memoryContext();
  const root = await treeOf(seededRecords(12, 20, 900), context);
  const short: LeafSource = {
    get: async (kind, ids) => {
      const blobs = await context.sink.get(kind, ids);
      return kind === 'chunk' ? blobs.map((blob) => blob.subarray(1)) : blobs;
    },
  };
  await assert.rejects(collect(readTree(short, root, {})), (error) => {
    return isCodrError(error, 'object-damaged');
  });
});

test('a split covers all keys in ranges of nearly equal bytes, and reads no leaf', async () => {
  const context = memoryContext();
  const records = seededRecords(8, 8000);
  const root = await treeOf(records, context);
  const nodesAlone: LeafSource = {
    get: (kind, ids) => {
      assert.equal(kind, 'node');
      return context.sink.get(kind, ids);
    },
  };
  for (const parts of [1, 2, 7, 16]) {
    const ranges = await splitTree(nodesAlone, root, parts);
    assert.equal(ranges.length, parts);
    const sizes = ranges.map((range) => {
      const inside = records.filter((record) => rangeHolds(range, record.key));
      return inside.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    });
    const fair = root.bytes / parts;
    for (const size of sizes) assert.ok(Math.abs(size - fair) < fair * 0.25, `${sizes} of ${fair}`);
  }
});

test('a tree of one leaf, and an empty one, split into one range', async () => {
  const context = memoryContext();
  const one = await treeOf(seededRecords(9, 3), context);
  assert.deepEqual(await splitTree(context.sink, one, 4), [{}]);
  const none = await treeOf([], context);
  assert.deepEqual(await splitTree(context.sink, none, 4), [{}]);
});

test('a walk lists every blob that was put, with ranges that meet', async () => {
  const context = memoryContext();
  const { sink } = context;
  const root = await treeOf(seededRecords(10, 3000, 700), context);
  const blobs = await collect(walkTree(sink, root, { chunks: true, valueInlineBytesMax: 300 }));
  const listed = new Set(blobs.map((blob) => `${blob.kind}:${toHex(blob.id)}`));
  assert.deepEqual([...listed].sort(), [...sink.blobs.keys()].sort());
  const leaves = blobs.filter((blob) => blob.kind === 'leaf');
  assert.equal(leaves[0]?.range.from, undefined);
  assert.equal(leaves.at(-1)?.range.to, undefined);
  for (let i = 1; i < leaves.length; i++) {
    assert.deepEqual(leaves[i - 1]!.range.to, leaves[i]!.range.from);
  }
  assert.equal(
    leaves.reduce((sum, leaf) => sum + leaf.bytes, 0),
    root.bytes,
  );
});

test('a walk without chunks reads nodes alone', async () => {
  const context = memoryContext();
  const root = await treeOf(seededRecords(11, 2000), context);
  const blobs = await collect(walkTree(context.sink, root, { chunks: false }));
  const nodes = blobs.filter((blob) => blob.kind === 'node');
  assert.equal(context.sink.fetchCount, nodes.length);
  assert.ok(blobs.length > nodes.length * 3);
});
