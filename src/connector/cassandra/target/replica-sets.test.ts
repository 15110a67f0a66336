// Records go to exactly the nodes whose ranges hold their tokens, in their order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareBytes } from '../../../base/bytes.ts';
import { batchOf, blockOf } from '../../../model/record-block.ts';
import { tokenPrefix } from '../key/record-key.ts';
import { type RingNode, replicasOf } from '../session/replica-placement.ts';
import { partOf, ReplicaSets } from './replica-sets.ts';

const token = fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n });

function ringOf(tokens: readonly bigint[], nodes: number): RingNode[] {
  return Array.from({ length: nodes }, (_, i) => ({
    ...{ hostId: `h${i}`, address: `a${i}`, nativeAddress: `a${i}` },
    ...{ datacenter: 'dc', rack: 'r' },
    tokens: tokens.filter((__, at) => at % nodes === i).map(String),
  }));
}

test('every record is given to the replicas of its token, once, and each set gets them ascending', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(token, { minLength: 4, maxLength: 24 }),
      fc.uniqueArray(token, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      (tokens, keys, nodes, factor) => {
        const ring = ringOf(tokens, nodes);
        const replication = { class: 'SimpleStrategy', replication_factor: String(factor) };
        const ranges = replicasOf(ring, replication);
        const sets = new ReplicaSets(ring, replication);
        // A range's own end and what follows it are where mistakes are made.
        const all = [...new Set([...keys, ...tokens])].sort((a, b) => (a < b ? -1 : 1));
        const records = all.map((key) => ({ key: tokenPrefix(key), value: new Uint8Array([1]) }));
        const given = [...sets.parts(blockOf(records))];
        assert.deepEqual(
          given.flatMap(({ block }) => batchOf(block).map(({ key }) => Buffer.from(key))),
          records.map(({ key }) => Buffer.from(key)),
        );
        let at = 0;
        for (const { set, block } of given) {
          for (let i = 0; i < block.count; i++) {
            const own = all[at++] as bigint;
            const range = ranges.find(({ from, to }) => own > from && own <= to);
            assert.deepEqual([...set.hostIds], [...(range?.replicas ?? [])].sort());
          }
        }
        given.slice(1).forEach(({ set }, i) => {
          assert.notEqual(set, given[i]?.set);
        });
      },
    ),
  );
});

test('sets of the same nodes are one, however many ranges they have', () => {
  const ring = ringOf(
    Array.from({ length: 48 }, (_, i) => BigInt(i) * 1000n),
    3,
  );
  const three = { class: 'SimpleStrategy', replication_factor: '3' };
  assert.equal(new ReplicaSets(ring, three).all.length, 1);
  assert.equal(new ReplicaSets(ring, { ...three, replication_factor: '2' }).all.length, 3);
});

test('a part of a block shares its memory and holds its own records alone', () => {
  const records = ['a', 'b', 'c'].map((key) => ({
    key: Buffer.from(`${key}0000000`),
    value: Buffer.from(key),
  }));
  const block = blockOf(records);
  const part = partOf(block, 1, 3);
  assert.equal(part.bytes, block.bytes);
  const [first, second] = batchOf(part);
  assert.ok(first && second && compareBytes(first.key, second.key) < 0);
  assert.equal(Buffer.from(first.key).toString(), 'b0000000');
  assert.equal(Buffer.from(second.value).toString(), 'c');
});
