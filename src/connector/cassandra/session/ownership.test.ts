import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur3Partitioner } from '../key/partitioner.ts';
import type { KeyspaceSchema } from '../schema/read-schema.ts';
import { haveLost, type Owned, ownershipOf, ownsMore } from './ownership.ts';
import { ownedRanges, type RingNode } from './replica-placement.ts';

const node = (hostId: string, ...tokens: readonly number[]): RingNode => ({
  ...{ hostId, address: hostId, nativeAddress: hostId, datacenter: 'dc1', rack: 'r1' },
  tokens: tokens.map(String),
});
const simple = (factor: number) => ({
  class: 'SimpleStrategy',
  replication_factor: String(factor),
});
const keyspace = (name: string, factor: number): KeyspaceSchema =>
  ({ name, replication: simple(factor), tables: [{ id: name }] }) as unknown as KeyspaceSchema;
const ownedIn = (nodes: readonly RingNode[], ...keyspaces: readonly KeyspaceSchema[]) =>
  ownershipOf({ nodes, partitioner: murmur3Partitioner.className }, keyspaces);
const of = (owned: ReadonlyMap<string, Owned>, hostId: string): Owned => owned.get(hostId) ?? [];

const three = [node('a', 0, 30), node('b', 10, 40), node('c', 20, 50)];

test('what is kept of a node is what its files are read with', () => {
  const owned = ownedIn(three, keyspace('one', 1), keyspace('two', 2), keyspace('also', 2));
  for (const { hostId } of three) {
    const kept = of(owned, hostId);
    assert.deepEqual(
      kept.map(({ keyspaces }) => keyspaces),
      [['one'], ['two', 'also']],
    );
    for (const [i, factor] of [1, 2].entries()) {
      const read = ownedRanges(three, simple(factor), hostId);
      const texts = read.map(({ from, to }) => [String(from), String(to)]);
      assert.deepEqual(kept[i]?.ranges, texts);
    }
  }
});

test('a node owns more by a factor that rises and a neighbour that leaves, not by one that joins', () => {
  const ks = keyspace('ks', 2);
  const now = ownedIn(three, ks);
  const more = (before: ReadonlyMap<string, Owned>, after: ReadonlyMap<string, Owned>): string[] =>
    three.map(({ hostId }) => hostId).filter((id) => ownsMore(of(before, id), of(after, id), 'ks'));
  assert.deepEqual(more(now, now), []);
  const joined = ownedIn([...three, node('d', 5, 35)], ks);
  assert.deepEqual([more(now, joined), more(joined, now)], [[], ['b', 'c']]);
  const all = ownedIn(three, keyspace('ks', 3));
  assert.deepEqual([more(now, all), more(all, now)], [['a', 'b', 'c'], []]);
  const moved = ownedIn([node('a', 0, 32), ...three.slice(1)], ks);
  assert.deepEqual(more(now, moved), ['a']);
  assert.ok(ownsMore(undefined, of(now, 'a'), 'ks'), 'an older version did not say');
});

test('hosts have lost something where one left or owns less', () => {
  const ks = keyspace('ks', 2);
  const hostsOf = (owned: ReadonlyMap<string, Owned>) =>
    Object.fromEntries(
      [...owned].map(([hostId, own]) => [
        hostId,
        { ...{ address: hostId, cut: 1, runId: '1', truncations: {}, tables: {} }, owned: own },
      ]),
    );
  const now = ownedIn(three, ks);
  const joined = ownedIn([...three, node('d', 5, 35)], ks);
  assert.equal(haveLost(hostsOf(now), now), false);
  assert.equal(haveLost(hostsOf(now), joined), true);
  assert.equal(haveLost(hostsOf(joined), now), true);
  assert.equal(haveLost(hostsOf(now), ownedIn(three, keyspace('ks', 3))), false);
  const others = [keyspace('gone', 1), ks];
  assert.equal(haveLost(hostsOf(ownedIn(three, ...others)), now), false, 'nor does a keyspace');
  assert.equal(haveLost(hostsOf(now), ownedIn(three, ...others)), false);
});
