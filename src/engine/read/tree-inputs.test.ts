import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../test/harness/seed.ts';
import { toHex } from '../../base/bytes.ts';
import { type KeyRange, rangeHolds } from '../../model/key-range.ts';
import type { DataRecord } from '../../model/record.ts';
import type { LeafSource } from '../../repository/leaf/leaf-store.ts';
import {
  collect,
  memoryContext,
  seededRecords,
  sorted,
  treeOf,
} from '../../repository/tree/tree-fixture.ts';
import { treeInputs } from './tree-inputs.ts';

/** Keys of one partition share their first two bytes: a fold reads on from there. */
const leadIn = (key: Uint8Array): Uint8Array => key.subarray(0, 2);
const options = { readAheadBytes: 64 * 1024, sharedBytesMin: 2000 };

/** Of 40 partitions, so that each has many records. */
function partitioned(records: readonly DataRecord[]): DataRecord[] {
  return sorted(
    records.map(({ key, value }) => {
      const own = Uint8Array.from(key);
      own[0] = 0;
      own[1] = (own[1] as number) % 40;
      return { key: own, value };
    }),
  );
}

/** Some stretches are others, in place of every so many records. */
function changed(records: readonly DataRecord[], places: readonly number[]): DataRecord[] {
  const at = new Set(places.map((place) => place % Math.max(1, records.length)));
  return records.flatMap((record, i) => (at.has(i) ? [] : [record]));
}

const names = (records: readonly DataRecord[]): string[] =>
  records.map(({ key, value }) => `${toHex(key)} ${toHex(value)}`);

test('what is left out of a tree is in the largest one, and ends where partitions do', async () => {
  const places = fc.array(fc.nat(3000), { maxLength: 4 });
  const bound = fc.option(fc.nat(39), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(places, places, bound, bound, async (one, two, from, to) => {
      const context = memoryContext();
      const all = partitioned(seededRecords(5, 1500, 60));
      const inputs = [changed(all, [...one, 7]), all, changed(all.slice(0, 900), two)];
      const trees = [];
      for (const records of inputs) trees.push(await treeOf(records, context));
      const range: KeyRange = {
        ...(from !== undefined && { from: Uint8Array.of(0, from) }),
        ...(to !== undefined && { to: Uint8Array.of(0, to, 9) }),
      };
      const streams = treeInputs({ source: context.sink, leadIn }, trees, { range, ...options });
      const read = await Promise.all(streams.map((stream) => collect(stream)));
      const wanted = inputs.map((records) => records.filter(({ key }) => rangeHolds(range, key)));
      assert.deepEqual(names(read[1] ?? []), names(wanted[1] ?? []), 'the largest is whole');
      const largest = new Set(names(wanted[1] ?? []));
      for (const i of [0, 2]) {
        const given = new Set(names(read[i] ?? []));
        const missing = (wanted[i] ?? []).filter((record) => !given.has(names([record])[0] ?? ''));
        assert.equal(given.size + missing.length, wanted[i]?.length, 'nothing twice, nothing more');
        assert.ok(names(missing).every((name) => largest.has(name)));
        // A partition is there as a whole or not at all, and left out only where both have the same of it.
        for (const partition of new Set(missing.map(({ key }) => toHex(leadIn(key))))) {
          const of = (records: readonly DataRecord[] = []): string[] =>
            names(records.filter(({ key }) => toHex(leadIn(key)) === partition));
          assert.deepEqual(of(read[i]), []);
          assert.deepEqual(of(wanted[i]), of(wanted[1]));
        }
      }
    }),
    { numRuns: sampled(40) },
  );
});

test('leaves that two trees share are read once, trees that are equal too', async () => {
  const context = memoryContext();
  const all = partitioned(seededRecords(5, 3000, 60));
  const base = await treeOf(all, context);
  const delta = await treeOf(changed(all, [1500]), context);
  let leaves = 0;
  const source: LeafSource = {
    get: async (kind, ids) => {
      if (kind === 'leaf') leaves += ids.length;
      return await context.sink.get(kind, ids);
    },
  };
  const readsOf = async (...trees: (typeof base)[]): Promise<number> => {
    leaves = 0;
    const inputs = treeInputs({ source, leadIn }, trees, { range: {}, ...options });
    for (const stream of inputs) await collect(stream);
    return leaves;
  };
  const alone = await readsOf(base);
  assert.ok(alone > 100);
  assert.equal(await readsOf(base, base, base), alone);
  const both = await readsOf(base, delta);
  assert.ok(both < 1.2 * alone, `${both} of ${alone}`);
});
