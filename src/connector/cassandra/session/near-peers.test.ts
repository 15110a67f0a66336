import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeRange } from '../../../model/key-range.ts';
import { murmur3Partitioner, randomPartitioner } from '../key/partitioner.ts';
import { tokenPrefix } from '../key/record-key.ts';
import { nearPeers, type SeenNodes } from './near-peers.ts';

const quarter = 2n ** 62n;

/** Four nodes, a quarter of the ring each: node `h1` owns the second one as its first copy, and so on. */
const nodes = [0n, 1n, 2n, 3n].map((i) => ({
  ...{ hostId: `h${i}`, address: `a${i}`, nativeAddress: `a${i}`, datacenter: 'dc', rack: 'r' },
  tokens: [String(-(2n ** 63n) + i * quarter)],
}));
const ring = { nodes, partitioner: murmur3Partitioner.className };
const seen = (peers: Record<string, string | undefined>): SeenNodes =>
  new Map(Object.entries(peers).map(([hostId, peer]) => [hostId, { files: { peer } }]));
const replicated = (copies: number) => ({
  class: 'SimpleStrategy',
  replication_factor: String(copies),
});
const rounded = (near: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries([...near].sort().map(([peer, copies]) => [peer, Number(copies.toFixed(6))]));

test('a range is near to the peers that see its replicas, by the part of it that they own', () => {
  const all = seen({ h0: 'p0', h1: 'p1', h2: 'p2', h3: 'p3' });
  const near = nearPeers(ring, replicated(1), all);
  assert.deepEqual(rounded(near(wholeRange)), { p0: 0.25, p1: 0.25, p2: 0.25, p3: 0.25 });
  const [from, to] = [tokenPrefix(-(2n ** 63n) + 1n), tokenPrefix(-(2n ** 63n) + quarter)];
  assert.deepEqual(rounded(near({ from, to })), { p1: 1 });
  const middle = tokenPrefix(-(2n ** 63n) + quarter / 2n);
  assert.deepEqual(rounded(near({ from: middle, to: tokenPrefix(0n) })), {
    p1: 0.333333,
    p2: 0.666667,
  });
});

test('a peer that sees two nodes has two copies, and a node without a peer is near to nobody', () => {
  const near = nearPeers(ring, replicated(3), seen({ h0: 'p', h1: 'p', h2: undefined, h3: 'q' }));
  const [from, to] = [tokenPrefix(-(2n ** 63n) + 1n), tokenPrefix(-(2n ** 63n) + quarter)];
  // Its copies are with h1, h2 and h3.
  assert.deepEqual(rounded(near({ from, to })), { p: 1, q: 1 });
  assert.deepEqual(rounded(near({ from: tokenPrefix(quarter) })), { p: 2 });
});

test('where keys are not in the order of the ring nothing is near', () => {
  const random = { ...ring, partitioner: randomPartitioner.className };
  assert.equal(nearPeers(random, replicated(1), seen({ h0: 'p' }))(wholeRange).size, 0);
});
