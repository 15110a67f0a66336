import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../test/harness/seed.ts';
import {
  type Assignment,
  assignItems,
  splitLarge,
  stealFrom,
  type WorkItem,
} from './assignment.ts';
import type { SlotPeer } from './slot-table.ts';

const seed = testSeed(24);
const peerSet = fc
  .array(fc.constantFrom(1, 2, 4), { minLength: 1, maxLength: 12 })
  .map((weights) => weights.map((weight, i): SlotPeer => ({ name: `peer-${i}`, weight })));
const itemSet = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 10_000 })), {
    maxLength: 60,
  })
  .map((sizes) => sizes.map((size, i): WorkItem => ({ id: `range-${i}`, size })));

const sum = (items: readonly WorkItem[]): number => items.reduce((all, { size }) => all + size, 0);
const ownersOf = (assignment: Assignment): Map<string, string> =>
  new Map([...assignment].flatMap(([peer, items]) => items.map(({ id }) => [id, peer])));

test('every item is given to one peer, none above its bound', () => {
  const property = fc.property(peerSet, itemSet, (peers, items) => {
    const given = assignItems(items, peers);
    assert.deepEqual([...ownersOf(given).keys()].sort(), items.map(({ id }) => id).sort());
    const weights = peers.reduce((all, { weight }) => all + weight, 0);
    const largest = Math.max(0, ...items.map(({ size }) => size));
    const together = sum(items) / weights;
    const last = largest / Math.min(...peers.map(({ weight }) => weight));
    for (const { name, weight } of peers) {
      const end = sum(given.get(name) ?? []) / weight;
      const most = Math.max(together * 1.1, together + last) + 1e-6;
      assert.ok(end <= most, `${name} ends at ${end}, all together at ${together}`);
    }
  });
  fc.assert(property, { seed, numRuns: 300 });
});

test('items that are small against a share leave nobody above 1.10 of it', () => {
  const peers = [3, 1, 2, 1].map((weight, i): SlotPeer => ({ name: `peer-${i}`, weight }));
  const items = Array.from({ length: 300 }, (_, i) => ({ id: `range-${i}`, size: 100 + (i % 13) }));
  const given = assignItems(items, peers);
  for (const { name, weight } of peers) {
    assert.ok(sum(given.get(name) ?? []) <= ((sum(items) * weight) / 7) * 1.1, name);
  }
});

test('who had an item keeps it as long as nobody came or went', () => {
  const property = fc.property(peerSet, itemSet, (peers, items) => {
    const first = assignItems(items, peers);
    assert.deepEqual(assignItems([...items].reverse(), peers, ownersOf(first)), first);
  });
  fc.assert(property, { seed, numRuns: 100 });
});

test('an item of a peer that left goes elsewhere, and few others move', () => {
  const peers = Array.from({ length: 6 }, (_, i) => ({ name: `peer-${i}`, weight: 1 }));
  const items = Array.from({ length: 120 }, (_, i) => ({ id: `range-${i}`, size: 50 + (i % 7) }));
  const before = ownersOf(assignItems(items, peers));
  const after = ownersOf(assignItems(items, peers.slice(1), before));
  const moved = items.filter(({ id }) => before.get(id) !== after.get(id));
  const had = [...before.values()].filter((peer) => peer === 'peer-0').length;
  assert.ok(moved.length <= had + 6, `${moved.length} moved, ${had} had to`);
});

test('the same items meet the same peers in plans that know nothing of each other', () => {
  const peers = Array.from({ length: 4 }, (_, i) => ({ name: `peer-${i}`, weight: 1 }));
  const items = Array.from({ length: 80 }, (_, i) => ({ id: `shard-${i}`, size: 100 }));
  const all = ownersOf(assignItems(items, peers));
  const most = ownersOf(assignItems(items.slice(0, 70), peers));
  const same = items.slice(0, 70).filter(({ id }) => all.get(id) === most.get(id));
  assert.ok(same.length >= 60, `${same.length} of 70`);
});

test('peers that steal when idle end together, whatever the items turn out to cost', () => {
  const property = fc.property(
    peerSet,
    itemSet,
    fc.integer({ min: 1, max: 9 }),
    (peers, items, slow) => {
      const left = new Map([...assignItems(items, peers)].map(([name, list]) => [name, [...list]]));
      const busyUntil = new Map(peers.map(({ name }) => [name, 0]));
      const costOf = (name: string, { size }: WorkItem): number =>
        (size * (name === 'peer-0' ? slow : 1)) / (peers.find((p) => p.name === name)?.weight ?? 1);
      let done = 0;
      let lastBegin = 0;
      for (;;) {
        const [name, now] = [...busyUntil].sort((a, b) => a[1] - b[1])[0] as [string, number];
        const own = left.get(name)?.shift();
        const stolen = own ? undefined : stealFrom(name, left, peers);
        if (stolen) left.get(stolen.from)?.pop();
        const item = own ?? stolen?.item;
        if (!item) {
          assert.ok([...left.values()].every((list) => list.length === 0));
          assert.ok(now >= lastBegin, 'nobody is idle while something waits');
          break;
        }
        done++;
        lastBegin = now;
        busyUntil.set(name, now + costOf(name, item));
      }
      assert.equal(done, items.length);
    },
  );
  fc.assert(property, { seed, numRuns: 100 });
});

test('an idle peer takes the smallest item of the one that has most left for its weight', () => {
  const peers = ['a', 'b', 'c'].map((name) => ({ name, weight: name === 'c' ? 4 : 1 }));
  const item = (id: string, size: number): WorkItem => ({ id, size });
  const left = new Map([
    ['a', [item('a1', 9), item('a2', 3)]],
    ['b', [item('b1', 8)]],
    ['c', [item('c1', 20), item('c2', 20)]],
  ]);
  assert.deepEqual(stealFrom('b', left, peers), { from: 'a', item: item('a2', 3) });
  assert.equal(stealFrom('a', new Map([['a', [item('a1', 1)]]]), peers), undefined);
});

test('only items above the limit are split, into parts that are not', () => {
  const halves = (item: WorkItem, parts: number): WorkItem[] =>
    Array.from({ length: parts }, (_, i) => ({ id: `${item.id}.${i}`, size: item.size / parts }));
  const items = [
    { id: 'small', size: 10 },
    { id: 'large', size: 30 },
  ];
  const parts = splitLarge(items, 10, halves);
  assert.deepEqual(
    parts.map(({ id }) => id),
    ['small', 'large.0', 'large.1', 'large.2'],
  );
  assert.ok(parts.every(({ size }) => size <= 10));
  assert.equal(sum(parts), 40);
});
