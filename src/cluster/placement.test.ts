// Where streams go: evenly by weight, always to the same peer for the same input, and never away from a living owner.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Candidate, ownersInOrder, ownersOfAll } from './placement.ts';

type Owners = Map<string, string>;

const peersOf = fc
  .integer({ min: 1, max: 12 })
  .chain((count) =>
    fc
      .array(fc.integer({ min: 1, max: 8 }), { minLength: count, maxLength: count })
      .map((weights) => weights.map((weight, i) => ({ name: `n${i}`, weight }))),
  );
const streamsOf = fc
  .integer({ min: 0, max: 120 })
  .map((count) => Array.from({ length: count }, (_, i) => `source ${i}`));

function candidates(
  peers: readonly Pick<Candidate, 'name' | 'weight'>[],
  owners: Owners,
): readonly Candidate[] {
  const loadOf = (name: string): number =>
    [...owners.values()].filter((one) => one === name).length;
  return peers.map((peer) => ({ ...peer, load: loadOf(peer.name) }));
}

/** Each as if nothing of the others were known but where they are. */
function place(
  streams: readonly string[],
  peers: readonly Pick<Candidate, 'name' | 'weight'>[],
  owners: Owners,
): void {
  for (const stream of streams) {
    const [first] = ownersInOrder(stream, candidates(peers, owners));
    owners.set(stream, first as string);
  }
}

function assertEven(peers: readonly Pick<Candidate, 'name' | 'weight'>[], owners: Owners): void {
  const weights = peers.reduce((sum, { weight }) => sum + weight, 0);
  for (const { name, weight, load } of candidates(peers, owners)) {
    const most = Math.ceil((1.1 * owners.size * weight) / weights);
    assert.ok(load <= most, `${name} has ${load} of at most ${most}`);
  }
}

test('no peer has more than a tenth above its share, rounded up, however many streams begin', () => {
  fc.assert(
    fc.property(peersOf, streamsOf, (peers, streams) => {
      const owners: Owners = new Map();
      place(streams, peers, owners);
      assertEven(peers, owners);
    }),
  );
});

test('when a peer dies its streams alone move, and spread over all that are left', () => {
  fc.assert(
    fc.property(peersOf, streamsOf, fc.nat(), (peers, streams, pick) => {
      fc.pre(peers.length > 1);
      const owners: Owners = new Map();
      place(streams, peers, owners);
      const before = new Map(owners);
      const dead = peers[pick % peers.length]?.name;
      const left = peers.filter(({ name }) => name !== dead);
      const orphans = streams.filter((stream) => owners.get(stream) === dead);
      for (const orphan of orphans) owners.delete(orphan);
      const orders = ownersOfAll(orphans, candidates(left, owners));
      for (const [i, orphan] of orphans.entries()) owners.set(orphan, orders[i]?.[0] as string);
      for (const [stream, owner] of owners) {
        if (before.get(stream) !== dead) assert.equal(owner, before.get(stream));
      }
      assertEven(left, owners);
    }),
  );
});

test('a peer that joins gets what begins next, until it has its share', () => {
  fc.assert(
    fc.property(peersOf, fc.integer({ min: 20, max: 60 }), (peers, count) => {
      const owners: Owners = new Map();
      const streams = Array.from({ length: 2 * count }, (_, i) => `source ${i}`);
      place(streams.slice(0, count), peers, owners);
      const all = [...peers, { name: 'new', weight: 4 }];
      place(streams.slice(count), all, owners);
      const share = (count * 4) / all.reduce((sum, { weight }) => sum + weight, 0);
      const got = [...owners.values()].filter((name) => name === 'new').length;
      assert.ok(got >= Math.floor(share), `${got} of ${share}`);
    }),
  );
});

test('the order is the same in whatever order the peers are told, and the same again', () => {
  fc.assert(
    fc.property(peersOf, fc.string(), (peers, key) => {
      const told = candidates(peers, new Map());
      const order = ownersInOrder(key, told);
      assert.deepEqual(ownersInOrder(key, [...told].reverse()), order);
      assert.equal(new Set(order).size, peers.length);
    }),
  );
});
