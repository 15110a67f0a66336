import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCodrError } from '../../../base/error.ts';
import { murmur3Partitioner } from '../key/partitioner.ts';
import { gradeRanges, worstGrade } from './grade.ts';
import { ownedRanges, type RingNode, replicasOf } from './replica-placement.ts';

const { lowest, highest } = murmur3Partitioner;

const node = (name: string, datacenter: string, rack: string, tokens: number[]): RingNode => ({
  hostId: name,
  address: name,
  nativeAddress: name,
  datacenter,
  rack,
  tokens: tokens.map(String),
});

const rings = fc
  .uniqueArray(fc.integer(), { minLength: 1, maxLength: 40 })
  .chain((tokens) =>
    fc.record({
      tokens: fc.constant(tokens),
      places: fc.array(fc.tuple(fc.integer({ max: 2, min: 1 }), fc.integer({ max: 3, min: 1 })), {
        minLength: 1,
        maxLength: Math.min(tokens.length, 8),
      }),
    }),
  )
  .map(({ tokens, places }) =>
    places.map(([datacenter, rack], i) =>
      node(
        `n${i}`,
        `dc${datacenter}`,
        `r${rack}`,
        tokens.filter((_, at) => at % places.length === i),
      ),
    ),
  );

test('ranges cover the whole ring once, and each has as many distinct replicas as there can be', () => {
  const factor = fc.integer({ min: 1, max: 5 });
  fc.assert(
    fc.property(rings, factor, factor, (nodes, one, two) => {
      const replication = {
        class: 'NetworkTopologyStrategy',
        dc1: String(one),
        dc2: String(two),
      };
      const ranges = replicasOf(nodes, replication);
      assert.equal(ranges[0]?.from, lowest);
      assert.equal(ranges.at(-1)?.to, highest);
      ranges.slice(1).forEach(({ from }, i) => {
        assert.equal(from, ranges[i]?.to);
      });
      for (const { replicas } of ranges) {
        assert.equal(new Set(replicas).size, replicas.length);
        for (const [datacenter, wanted] of [
          ['dc1', one],
          ['dc2', two],
        ] as const) {
          const there = nodes.filter((other) => other.datacenter === datacenter);
          const held = there.filter(({ hostId }) => replicas.includes(hostId));
          assert.equal(held.length, Math.min(wanted, there.length));
          // Racks: as many different ones as there can be.
          const racks = new Set(there.map(({ rack }) => rack)).size;
          const used = new Set(held.map(({ rack }) => rack)).size;
          assert.equal(used, Math.min(racks, held.length));
        }
      }
    }),
  );
});

test('owned ranges of all nodes hold every token as often as the replication factor says', () => {
  fc.assert(
    fc.property(rings, fc.integer({ min: 1, max: 4 }), fc.integer(), (nodes, factor, token) => {
      const replication = { class: 'SimpleStrategy', replication_factor: String(factor) };
      const owners = nodes.filter(({ hostId }) =>
        ownedRanges(nodes, replication, hostId).some(
          ({ from, to }) => from < BigInt(token) && BigInt(token) <= to,
        ),
      );
      assert.equal(owners.length, Math.min(factor, nodes.length));
    }),
  );
});

test('a rack that holds a replica is passed over while another rack is left', () => {
  const nodes = [
    node('a', 'dc1', 'r1', [0]),
    node('b', 'dc1', 'r1', [10]),
    node('c', 'dc1', 'r2', [20]),
  ];
  const ranges = replicasOf(nodes, { class: 'NetworkTopologyStrategy', dc1: '2' });
  const at0 = ranges.find(({ to }) => to === 0n);
  assert.deepEqual(at0?.replicas, ['a', 'c']);
});

test('a strategy whose placement is not known is refused', () => {
  assert.throws(
    () => replicasOf([node('a', 'd', 'r', [0])], { class: 'org.x.OddStrategy' }),
    (error) => isCodrError(error, 'source-unfit') && /OddStrategy/.test(error.message),
  );
});

const three = [
  node('a', 'dc1', 'r1', [0]),
  node('b', 'dc1', 'r1', [10]),
  node('c', 'dc1', 'r1', [20]),
  node('d', 'dc2', 'r1', [5]),
  node('e', 'dc2', 'r1', [15]),
];
const gradeOf = (captured: string[], dc2: string, datacenters: string[] = []) =>
  worstGrade(
    gradeRanges(
      replicasOf(three, { class: 'NetworkTopologyStrategy', dc1: '3', dc2 }),
      three,
      new Set(captured),
      datacenters,
    ),
  );

test('a range is quorum-safe when every data centre gave at least half of its replicas', () => {
  assert.equal(gradeOf(['a', 'b', 'c', 'd', 'e'], '2'), 'complete');
  assert.equal(gradeOf(['a', 'b', 'd'], '2'), 'quorum-safe');
  assert.equal(gradeOf(['a', 'd', 'e'], '2'), 'best-effort');
  assert.equal(gradeOf(['a', 'b', 'c'], '2'), 'best-effort');
});

test('only the data centres that count are graded, and one without replicas proves nothing', () => {
  assert.equal(gradeOf(['a', 'b', 'c'], '2', ['dc1']), 'complete');
  assert.equal(gradeOf(['a', 'b', 'c', 'd', 'e'], '0', ['dc2']), 'best-effort');
});

test('a graded range names the replicas that are missing', () => {
  const ranges = replicasOf(three, { class: 'NetworkTopologyStrategy', dc1: '3' });
  const graded = gradeRanges(ranges, three, new Set(['a', 'c']));
  assert.deepEqual(graded, [{ from: lowest, to: highest, grade: 'quorum-safe', missing: ['b'] }]);
});
