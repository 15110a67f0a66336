import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeRange } from '../../src/model/key-range.ts';
import type { DataRecord } from '../../src/model/record.ts';
import { collect } from '../../src/repository/collect/collect.ts';
import { openFixture, probe } from '../../src/repository/collect/repository-fixture.ts';
import { type Repository, repositoryLineage } from '../../src/repository/repository.ts';
import { readTree } from '../../src/repository/tree/tree-reader.ts';
import type { TreeRoot } from '../../src/repository/tree/tree-root.ts';
import {
  type CopyOptions,
  type PeerInWorld,
  PeersWorld,
  recordsOf,
  turn,
  turnClock,
  type WorldOptions,
} from './peers-world.ts';

const data: CopyOptions = { seed: 7, segments: 8, recordsPerSegment: 1000, workers: 2 };

const small: CopyOptions = { ...data, segments: 4, recordsPerSegment: 800 };

const cutFine: CopyOptions = { ...data, segments: 12, recordsPerSegment: 160 };

type Five<T> = [T, T, T, T, T];

/** Bytes that one copy alone takes. */
async function oneCopy(options = data): Promise<number> {
  const world = await PeersWorld.open(['a'], { talking: false });
  await world.register('s');
  await world.copy(world.peers[0] as PeerInWorld, 's', options);
  return await world.packBytes();
}

async function worldOf(names: readonly string[], options: WorldOptions = {}): Promise<PeersWorld> {
  const world = await PeersWorld.open(names, options);
  for (const { name } of world.peers) await world.register(`source-${name}`);
  return world;
}

const copyAll = (world: PeersWorld, options = data): Promise<unknown> =>
  Promise.all(world.peers.map((peer) => world.copy(peer, `source-${peer.name}`, options)));

test('three peers that copy equal data at the same moment store at most a tenth twice', async () => {
  const alone = await oneCopy();
  const world = await worldOf(['a', 'b', 'c']);
  await copyAll(world);
  const stored = await world.packBytes();
  assert.ok(stored <= alone * 1.1, `${stored} bytes stored, ${alone} by one alone`);
  const silent = await worldOf(['a', 'b', 'c'], { talking: false });
  await copyAll(silent);
  assert.ok((await silent.packBytes()) > alone * 2.5, 'without the exchange all is stored thrice');
});

test('a peer that copies equal data after another stores at most a hundredth', async () => {
  const world = await worldOf(['a', 'b', 'c']);
  const [a, b] = world.peers as [PeerInWorld, PeerInWorld];
  const rootsA = await world.copy(a, 'source-a', data);
  const before = await world.packBytes();
  await world.settled();
  const rootsB = await world.copy(b, 'source-b', data);
  assert.ok((await world.packBytes()) - before <= before * 0.01);
  assert.deepEqual(rootsB, rootsA);
  assert.ok(b.exchange.counts.known > 0);
});

test('while owners of slots are dead what they know is found in the index, and stored once', async () => {
  const world = await worldOf(['a', 'b', 'c']);
  const [a, b] = world.peers as [PeerInWorld, PeerInWorld];
  await world.copy(a, 'source-a', small);
  const before = await world.packBytes();
  await world.settled();
  for (const name of ['a', 'c']) world.dead.add(name);
  const roots = await world.copy(b, 'source-b', small);
  const added = (await world.packBytes()) - before;
  assert.ok(added <= before * 0.01, `${added} of ${before} again`);
  assert.ok(b.exchange.counts.unanswered > 0);
  await assertWhole(world, roots);
});

test('three peers store equal data once while owners of slots die', async () => {
  const options = { ...data, segments: 24, recordsPerSegment: 500 };
  const alone = await oneCopy(options);
  const world = await worldOf(['a', 'b', 'c', 'd', 'e'], { indexEntriesMax: 64 });
  const copying = Promise.all(
    world.peers.slice(0, 3).map((peer) => world.copy(peer, `source-${peer.name}`, options)),
  );
  for (const name of ['d', 'e']) {
    await world.until(async () => (await world.packBytes()) > alone * (name === 'd' ? 0.25 : 0.5));
    world.dead.add(name);
    // A lease ends some time later.
    for (let i = 0; i < 100; i++) await turn();
    world.expire();
  }
  const [roots] = (await copying) as [TreeRoot[]];
  const stored = await world.packBytes();
  assert.ok(stored <= alone * 1.1, `${stored} bytes stored, ${alone} by one alone`);
  assert.ok(world.peers[0]?.exchange.counts.unanswered);
  await assertWhole(world, roots, options);
});

test('peers read everything, whether owners of slots answer, are silent, or die on the way', async () => {
  // Those that read own hardly a slot, as each one of many peers does.
  const weights = { b: 0.005, c: 0.005, d: 0.005, e: 0.005 };
  const world = await worldOf(['a', 'b', 'c', 'd', 'e', 'f'], { indexEntriesMax: 4, weights });
  const [a, b, c, d, e] = world.peers as PeerInWorld[] as Five<PeerInWorld>;
  const roots = await world.copy(a, 'source-a', cutFine);
  await world.settled();
  const readBy = (peer: PeerInWorld): Promise<void> => assertReads(peer.repository, roots, cutFine);
  await readBy(b);
  const { located } = b.exchange.counts;
  assert.ok(located > 10, `${located} leaves said by owners`);
  for (const name of ['a', 'f']) world.dead.add(name);
  await readBy(c);
  world.dead.clear();
  const reading = [d, e].map(readBy);
  await turn();
  world.dead.add('a');
  await turn();
  world.dead.add('f');
  world.expire();
  await Promise.all(reading);
});

test('the first source is removed and collected while the second relies on its packs', async () => {
  const world = await worldOf(['a', 'b', 'c']);
  const [a, b, c] = world.peers as [PeerInWorld, PeerInWorld, PeerInWorld];
  await world.copy(a, 'source-a', small);
  await world.settled();
  const before = await world.packBytes();
  const roots = await world.copy(b, 'source-b', small);
  assert.ok((await world.packBytes()) - before <= before * 0.01);
  await removeSource(c, 'source-a');
  await collectBy(c);
  await assertWhole(world, roots);
});

test('known answers that name packs which are condemned meanwhile are void: all is stored anew', async () => {
  const world = await worldOf(['a', 'b', 'c']);
  const [a, b, c] = world.peers as [PeerInWorld, PeerInWorld, PeerInWorld];
  await world.copy(a, 'source-a', small);
  await world.settled();
  await removeSource(a, 'source-a');
  await world.settled(); // what is read of the removal must not go on to what comes now
  // Whatever the hints say, peers go on answering from what they knew.
  for (const { leaves } of world.peers) leaves.hint = () => {};
  await collectBy(c);
  assert.equal(await world.packBytes(), 0);
  const roots = await world.copy(b, 'source-b', small);
  assert.ok(b.exchange.counts.known > 0, 'it was told of packs that are gone');
  await assertWhole(world, roots);
});

test('collections beside copies by all peers take nothing that a commit relies on', async () => {
  const world = await worldOf(['a', 'b', 'c']);
  const [a, b, c] = world.peers as [PeerInWorld, PeerInWorld, PeerInWorld];
  await world.copy(a, 'source-a', small);
  await world.settled();
  await removeSource(c, 'source-a');
  const [rootsB, rootsC] = await Promise.all([
    world.copy(b, 'source-b', small),
    world.copy(c, 'source-c', small),
    collectBy(a),
    collectBy(c),
  ]);
  await collectBy(a);
  await assertWhole(world, rootsB);
  await assertWhole(world, rootsC);
});

async function removeSource({ repository }: PeerInWorld, source: string): Promise<void> {
  const lineage = await repository.openLineage(repositoryLineage);
  await lineage.commit((draft): undefined => draft.set(`source/${source}`, null) as undefined);
}

async function collectBy({ repository }: PeerInWorld): Promise<void> {
  const lineage = await repository.openLineage(repositoryLineage);
  const { signal } = new AbortController();
  await collect({ repository, lineage, clock: turnClock, probe, signal });
}

/** A process that knows nothing reads every record. */
async function assertWhole(
  world: PeersWorld,
  roots: readonly TreeRoot[],
  options = small,
): Promise<void> {
  await assertReads(await openFixture(world.store, { seed: 999 }), roots, options);
}

async function assertReads(
  repository: Repository,
  roots: readonly TreeRoot[],
  options = small,
): Promise<void> {
  for (const [i, root] of roots.entries()) {
    const records: DataRecord[] = [];
    for await (const batch of readTree(repository.source, root, wholeRange)) records.push(...batch);
    const named = ({ key, value }: DataRecord): string[] =>
      [key, value].map((bytes) => Buffer.from(bytes).toString('hex'));
    assert.deepEqual(records.map(named), recordsOf(options, i).map(named));
  }
}
