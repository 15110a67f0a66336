import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../test/harness/seed.ts';
import { BrokenPromiseError } from '../../base/assert.ts';
import { toHex } from '../../base/bytes.ts';
import type { DataRecord } from '../../model/record.ts';
import type { CutHashing } from '../leaf/cut-hashing.ts';
import { recordCutLength } from '../leaf/leaf-codec.ts';
import { joinParts } from './join.ts';
import { buildRange } from './range-builder.ts';
import { cutRun } from './run-cutter.ts';
import {
  collect,
  equalHashing,
  fixedHashing,
  memoryContext,
  partsOf,
  seededRecords,
  smallCut,
  sorted,
  streamOf,
  treeOf,
} from './tree-fixture.ts';
import { leafLevel } from './tree-level.ts';
import { decodeTreePart, encodeTreePart } from './tree-part.ts';
import { readTree } from './tree-reader.ts';
import { compareRoots } from './tree-root.ts';
import { walkTree } from './tree-walk.ts';

/** Keys that are hard on prefixes: long shared ones, prefixes of each other, single bytes. */
const hostileKey = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 2 }),
  fc.nat(40).map((n) => new Uint8Array(n + 1).fill(7)),
  fc.uint8Array({ minLength: 0, maxLength: 3 }).map((tail) => {
    return new Uint8Array([...new Uint8Array(200).fill(1), ...tail]);
  }),
);

const hostileRecords = fc
  .uniqueArray(
    fc.record({
      key: hostileKey,
      value: fc.oneof(
        { weight: 6, arbitrary: fc.uint8Array({ maxLength: 20 }) },
        { weight: 1, arbitrary: fc.uint8Array({ minLength: 290, maxLength: 700 }) },
      ),
    }),
    { selector: (record) => toHex(record.key), maxLength: 200 },
  )
  .map(sorted);

function boundsFor(count: number, draws: readonly number[]): number[] {
  return draws.map((draw) => draw % (count + 1)).sort((a, b) => a - b);
}

const draws = fc.oneof(
  fc.array(fc.nat(), { minLength: 1, maxLength: 1 }),
  fc.array(fc.nat(), { minLength: 16, maxLength: 16 }),
);

async function blobsUnder(
  sink: ReturnType<typeof memoryContext>['sink'],
  root: Awaited<ReturnType<typeof treeOf>>,
): Promise<string[]> {
  const blobs = await collect(walkTree(sink, root, { chunks: true, valueInlineBytesMax: 300 }));
  return blobs.map((blob) => `${blob.kind}:${toHex(blob.id)}`).sort();
}

/** The rule as its definition reads, in quadratic time. */
function naiveCuts(
  records: readonly DataRecord[],
  halfBytes: number,
  hashing: CutHashing,
): number[] {
  const hashes = new Float64Array(records.length);
  hashing.hash({ level: 0, salt: 0 }, records, 0, records.length, hashes);
  if (records.length > 0) hashes[0] = -1;
  const starts: number[] = [];
  let offset = 0;
  for (const record of records) {
    starts.push(offset);
    offset += recordCutLength(record);
  }
  return records.flatMap((_, i) => {
    const beaten = records.some((_other, j) => {
      const near = i !== j && Math.abs(starts[i]! - starts[j]!) <= halfBytes;
      return near && (hashes[j]! < hashes[i]! || (hashes[j] === hashes[i] && j < i));
    });
    return beaten ? [] : [i];
  });
}

/** Hashes of two bits: neighbours are equal all the time. */
const coarseHashing: CutHashing = {
  hash(place, items, from, to, out) {
    fixedHashing.hash(place, items, from, to, out);
    for (let i = 0; i < to - from; i++) out[i] = out[i]! % 4;
  },
};

test('cuts are where the definition of the rule puts them', () => {
  for (const seed of [1, 2, 3]) {
    const records = seededRecords(seed, 600, 90);
    assertCutsAsDefined(records, fixedHashing);
    assertCutsAsDefined(records, coarseHashing);
  }
});

test('an item exactly half a leaf away counts, one a byte further does not', () => {
  // Cut lengths of 32 put starts half of 512 apart at every eighth record; those of 33 never.
  for (const valueBytes of [12, 13]) {
    const value = Buffer.alloc(valueBytes);
    const records = seededRecords(4, 1200).map(({ key }) => ({ key, value }));
    assertCutsAsDefined(records, fixedHashing);
    assertCutsAsDefined(records, coarseHashing);
  }
});

function assertCutsAsDefined(records: readonly DataRecord[], hashing: CutHashing): void {
  const cut = { ...smallCut, leafBytesMax: Number.MAX_SAFE_INTEGER };
  const pieces = cutRun(leafLevel, records, 'nothing', { hashing, cut });
  assert.deepEqual(
    pieces.map((piece) => piece.from),
    naiveCuts(records, smallCut.leafBytes / 2, hashing),
  );
  assert.ok(pieces.length > 10);
}

test('ranges with many equal hashes give the root of the whole', async () => {
  const value = Buffer.alloc(12);
  const records = seededRecords(5, 900).map(({ key }) => ({ key, value }));
  const root = await treeOf(records, memoryContext(smallCut, coarseHashing));
  for (let bound = 100; bound < 140; bound++) {
    const context = memoryContext(smallCut, coarseHashing);
    assert.deepEqual(await treeOf(records, context, [bound, 500 + bound]), root);
  }
});

test('a dataset cut in 1, 2 or 17 ranges at any keys has one root and one set of blobs', async () => {
  const property = fc.asyncProperty(
    fc.nat(1000),
    fc.integer({ min: 0, max: 700 }),
    draws,
    async (seed, count, bounds) => {
      const records = seededRecords(seed, count, 350);
      const whole = memoryContext();
      const root = await treeOf(records, whole);
      const parted = memoryContext();
      const other = await treeOf(records, parted, boundsFor(count, bounds));
      assert.deepEqual(other, root);
      assert.deepEqual(await blobsUnder(parted.sink, other), await blobsUnder(whole.sink, root));
    },
  );
  await fc.assert(property, { numRuns: sampled(35), seed: 1 });
});

test('hostile keys and large values give one root however they are divided', async () => {
  const property = fc.asyncProperty(hostileRecords, draws, async (records, bounds) => {
    const context = memoryContext();
    const root = await treeOf(records, context);
    const cut = boundsFor(records.length, bounds);
    assert.deepEqual(await treeOf(records, memoryContext(), cut), root);
    const read = await collect(readTree(context.sink, root, {}));
    assert.deepEqual(plain(read), plain(records));
  });
  await fc.assert(property, { numRuns: sampled(60), seed: 2 });
});

test('equal hashes still give bounded leaves and one root', async () => {
  const records = seededRecords(5, 900);
  const context = memoryContext(smallCut, equalHashing);
  const root = await treeOf(records, context);
  assert.deepEqual(
    await treeOf(records, memoryContext(smallCut, equalHashing), [1, 300, 300, 899]),
    root,
  );
  const sizes = [...context.sink.blobs.values()].map((blob) => blob.length);
  assert.ok(Math.max(...sizes) <= smallCut.leafBytesMax + 16);
  assert.equal(root.records, 900);
});

test('equal hashes at the first salts only are cut by the next salt, alike for any division', async () => {
  const lateHashing: typeof fixedHashing = {
    hash: (place, items, from, to, out) =>
      (place.salt < 2 ? equalHashing : fixedHashing).hash(place, items, from, to, out),
  };
  const records = seededRecords(6, 900);
  const context = memoryContext(smallCut, lateHashing);
  const root = await treeOf(records, context);
  assert.deepEqual(await treeOf(records, memoryContext(smallCut, lateHashing), [450]), root);
  assert.ok(context.sink.blobs.size > 30);
});

test('a leaf too large between two cuts is cut by the next salt, alike for any division', async () => {
  const records = seededRecords(7, 900);
  const middle: CutHashing = {
    hash(place, items, from, to, out) {
      fixedHashing.hash(place, items, from, to, out);
      if (place.level > 0 || place.salt > 0) return;
      // Keys that begin with 0x50 to 0xaf, a third of them, are all alike.
      for (let i = from; i < to; i++) {
        if (Math.abs(items[i]!.key[0]! - 0x80) < 0x30) out[i - from] = 2 ** 47;
      }
    },
  };
  const context = memoryContext(smallCut, middle);
  const root = await treeOf(records, context);
  const bySize = [...context.sink.blobs.values()].filter((blob) => blob.length > 2048);
  assert.equal(bySize.length, 0);
  for (const bound of [300, 450, 600]) {
    assert.deepEqual(await treeOf(records, memoryContext(smallCut, middle), [bound]), root);
  }
});

test('an empty dataset has the root of an empty leaf, in any number of parts', async () => {
  const context = memoryContext();
  const root = await treeOf([], context);
  assert.deepEqual(
    { ...root, id: undefined },
    {
      id: undefined,
      height: 0,
      records: 0,
      bytes: 0,
      cut: 'cut-test',
    },
  );
  assert.deepEqual(await treeOf([], memoryContext(), [0, 0]), root);
  assert.deepEqual(await joinParts([], memoryContext()), root);
  assert.deepEqual(await collect(readTree(context.sink, root, {})), []);
});

test('a root counts records and raw bytes, whole large values included', async () => {
  const records = seededRecords(7, 400, 900);
  const bytes = records.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  const root = await treeOf(records, memoryContext());
  assert.equal(root.records, 400);
  assert.equal(root.bytes, bytes);
  assert.ok(root.height >= 2);
});

test('equal or descending keys are refused, inside a range and between ranges', async () => {
  const [a, b] = seededRecords(8, 2) as [DataRecord, DataRecord];
  await assert.rejects(treeOf([a, a], memoryContext()), BrokenPromiseError);
  await assert.rejects(treeOf([b, a], memoryContext()), BrokenPromiseError);
  await assert.rejects(treeOf([a, b, b], memoryContext(), [2]), BrokenPromiseError);
});

test('a pair of records in the wrong order is refused wherever it stands, between leaves too', async () => {
  const records = seededRecords(9, 200);
  for (let i = 1; i < records.length; i++) {
    const swapped = [...records];
    [swapped[i - 1], swapped[i]] = [records[i]!, records[i - 1]!];
    await assert.rejects(treeOf(swapped, memoryContext()), BrokenPromiseError, `at ${i}`);
  }
});

test('inserting one record changes few leaves and the nodes above them', async () => {
  const records = seededRecords(10, 2000);
  const context = memoryContext();
  await treeOf(records, context);
  for (const extra of seededRecords(11, 20)) {
    const before = context.sink.blobs.size;
    await treeOf(sorted([...records, extra]), context);
    const added = context.sink.blobs.size - before;
    assert.ok(added >= 1 && added <= 12, `${added} new blobs`);
  }
});

test('a part that was stored and read back joins to the same root', async () => {
  const records = seededRecords(12, 1500, 700);
  const context = memoryContext();
  const parts = await partsOf(records, [1, 400, 401, 1200], context);
  const root = await joinParts(parts, context);
  const stored = await Promise.all(parts.map((part) => encodeTreePart(part, context.sink)));
  const read = await Promise.all(stored.map((bytes) => decodeTreePart(bytes, context.sink)));
  assert.deepEqual(await joinParts(read, context), root);
  assert.ok(Math.max(...stored.map((bytes) => bytes.length)) < 20_000);
});

test('a part stays small when its edges are long', async () => {
  const context = memoryContext(smallCut, equalHashing);
  const part = await buildRange(streamOf(seededRecords(13, 9000)), context);
  assert.equal(part.leaves.head.length, 9000);
  const bytes = await encodeTreePart(part, context.sink);
  assert.ok(bytes.length < 1000, `${bytes.length} bytes`);
  const sizes = [...context.sink.blobs.values()].map((blob) => blob.length);
  assert.ok(sizes.length > 5 && Math.max(...sizes) <= 64 * 1024);
  const read = await decodeTreePart(bytes, context.sink);
  assert.deepEqual(await joinParts([read], context), await joinParts([part], context));
});

test('roots of other cut parameters are not comparable', async () => {
  const records = seededRecords(14, 300);
  const root = await treeOf(records, memoryContext());
  const other = await treeOf(records, memoryContext({ ...smallCut, id: 'other', leafBytes: 256 }));
  assert.equal(compareRoots(root, other), 'incomparable');
  assert.equal(compareRoots(root, { ...root }), 'equal');
  assert.equal(compareRoots(root, await treeOf(records.slice(1), memoryContext())), 'different');
});

function plain(records: readonly DataRecord[]): string[] {
  return records.map(({ key, value }) => `${toHex(key)}=${toHex(value)}`);
}
