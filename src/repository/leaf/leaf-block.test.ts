import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../../base/bytes.ts';
import { rangeHolds } from '../../model/key-range.ts';
import { batchBytes, type DataRecord } from '../../model/record.ts';
import { BlockBatch, blockOf } from '../../model/record-block.ts';
import { blockWithin, LeafBlockBuilder, leafRecords } from './leaf-block.ts';
import { encodeLeaf, type LeafRecord } from './leaf-codec.ts';

/** Few bytes, so that neighbours share much of their keys, across the borders of leaves too. */
const key = fc
  .array(fc.constantFrom(0, 1, 255), { minLength: 1, maxLength: 5 })
  .map((bytes) => Buffer.from(bytes));
const record = fc
  .tuple(key, fc.nat(3), fc.option(fc.nat(1e6), { freq: 4, nil: undefined }))
  .map(([one, size, external]): LeafRecord => {
    if (external === undefined) {
      return { key: one, value: Buffer.alloc(size * 7, size), externalBytes: undefined };
    }
    return { key: one, value: Buffer.alloc(32 * size, size), externalBytes: external };
  });
const records = fc
  .uniqueArray(record, { maxLength: 40, selector: (one) => toHex(one.key) })
  .map((all) => all.sort((a, b) => Buffer.compare(a.key, b.key)));

const lineOf = ({ key: one, value, externalBytes }: LeafRecord): string =>
  [toHex(one), toHex(value), externalBytes].join(' ');

const hexOf = (one: DataRecord): string[] => [one.key, one.value].map(toHex);

test('leaves put behind one another are their records, in any range of keys', () => {
  fc.assert(
    fc.property(
      records,
      fc.array(fc.nat(40)),
      fc.option(key, { nil: undefined }),
      fc.option(key, { nil: undefined }),
      fc.nat(3000),
      (all, cuts, from, to, capacity) => {
        const bounds = [...new Set([0, ...cuts.filter((at) => at < all.length)])].sort(
          (a, b) => a - b,
        );
        const builder = new LeafBlockBuilder(capacity);
        for (const [i, at] of bounds.entries())
          builder.add(encodeLeaf(all.slice(at, bounds[i + 1])));
        const whole = builder.finish();
        assert.deepEqual(leafRecords(whole).map(lineOf), all.map(lineOf));
        const range = { ...(from && { from }), ...(to && { to }) };
        const isEmpty = from && to && Buffer.compare(from, to) >= 0;
        const wanted = isEmpty ? [] : all.filter((one) => rangeHolds(range, one.key));
        const within = blockWithin(whole, range);
        assert.deepEqual(leafRecords(within).map(lineOf), wanted.map(lineOf));
        const batch = new BlockBatch(within);
        const bytes = wanted.reduce((sum, one) => sum + one.key.length + one.value.length, 0);
        assert.deepEqual([batch.length, batchBytes(batch)], [wanted.length, bytes]);
        // As an array would, with memory of its own.
        const plain = [...batch];
        const copied = new BlockBatch(blockOf(plain)).map(hexOf);
        assert.deepEqual(batch.map(hexOf), copied);
        for (const i of [0, 1, -1, -2, plain.length]) assert.deepEqual(batch.at(i), plain.at(i));
      },
    ),
  );
});
