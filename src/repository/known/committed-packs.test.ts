import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokenPromiseError } from '../../base/assert.ts';
import type { PackId } from '../../model/id.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import { createFixture, openFixture, registerSource } from '../collect/repository-fixture.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { type CondemnedRecord, lostKey, usePacks } from '../lineage/pack-table.ts';
import { type Repository, repositoryLineage } from '../repository.ts';
import { CommittedPacks } from './committed-packs.ts';

/** Two registered sources, as one process writes and another one follows. */
async function world() {
  const store = new MemoryObjectStore();
  await createFixture(store, 1);
  const writer = await openFixture(store, { seed: 2 });
  const sources = [await registerSource(writer, 'one'), await registerSource(writer, 'two')];
  const own = await writer.openLineage(repositoryLineage);
  const reader = await openFixture(store, { seed: 3 });
  const opened: Lineage[] = [];
  const packs = new CommittedPacks({
    repositoryLineage,
    openLineage: async (name, kinds) => {
      const lineage = await reader.openLineage(name, kinds);
      opened.push(lineage);
      return lineage;
    },
  });
  return { writer, one: sources[0] as Lineage, two: sources[1] as Lineage, own, packs, opened };
}

let content = 0;

/** Stores something new and commits it to the lineages; the pack that holds it. */
async function commitPack(writer: Repository, lineages: readonly Lineage[]): Promise<PackId> {
  const session = writer.session();
  await session.sink.put('leaf', [Buffer.from(`content ${content++}`)]);
  const used = await session.flush();
  for (const lineage of lineages) {
    await lineage.commit((draft): undefined => {
      draft.set(`base/data/${draft.seq}`, { packs: String(usePacks(draft, used)) });
    });
  }
  return used.newPacks[0]?.id as PackId;
}

test('packs of any lineage are committed once its entries were read, and not before', async () => {
  const { writer, one, two, own, packs } = await world();
  const [a, b, c] = [
    await commitPack(writer, [one]),
    await commitPack(writer, [two]),
    await commitPack(writer, [own]),
  ];
  assert.equal(packs.has(a), false);
  await packs.readAll();
  assert.deepEqual(
    [a, b, c].map((id) => packs.has(id)),
    [true, true, true],
  );
  const [d, e] = [await commitPack(writer, [one]), await commitPack(writer, [two])];
  await packs.read(['two']);
  assert.deepEqual([packs.has(d), packs.has(e)], [false, true]);
  await packs.readAll();
  assert.equal(packs.has(d), true);
});

test('a pack that a list condemns or a check gave up is committed no more, and told once', async () => {
  const { writer, one, own, packs } = await world();
  const [a, b, c] = [
    await commitPack(writer, [one]),
    await commitPack(writer, [one]),
    await commitPack(writer, [one]),
  ];
  assert.deepEqual(await packs.readAll(), []);
  const list = (ids: readonly PackId[]): CondemnedRecord => ({ packs: ids, seq: 0 });
  await own.commit((draft): undefined => draft.set('condemned/1', list([a])) as undefined);
  await one.commit((draft): undefined => draft.set(lostKey(b), {}) as undefined);
  assert.deepEqual(await packs.read([repositoryLineage, 'one']), [a]);
  assert.deepEqual(
    [a, b, c].map((id) => packs.has(id)),
    [false, false, true],
  );
  await one.commit((draft): undefined => draft.set('condemned/1', list([c])) as undefined);
  assert.deepEqual(await packs.readAll(), []);
  assert.equal(packs.has(c), false, 'its own lineage must not use it');
  await own.commit((draft): undefined => draft.set('condemned/1', null) as undefined);
  await packs.readAll();
  assert.equal(packs.has(a), true, 'it was spared');
});

test('what only a removed source holds is committed no more', async () => {
  const { writer, one, two, own, packs } = await world();
  const [alone, shared] = [await commitPack(writer, [one]), await commitPack(writer, [one, two])];
  await packs.readAll();
  await own.commit((draft): undefined => draft.set('source/one', null) as undefined);
  await packs.readAll();
  assert.deepEqual([packs.has(alone), packs.has(shared)], [false, true]);
});

test('of the lineages only what is asked of them is kept in memory, and they are not written to', async () => {
  const { writer, one, packs, opened } = await world();
  for (let i = 0; i < 300; i++) {
    await one.commit((draft): undefined => draft.set(`catalog/${i}`, { body: 'x' }) as undefined);
  }
  const pack = await commitPack(writer, [one]);
  assert.ok(one.stateSeq > 0, 'part of it comes out of a stored state');
  await packs.readAll();
  assert.ok(packs.has(pack));
  const followed = opened.find(({ name }) => name === 'one') as Lineage;
  assert.equal(followed.seq, one.seq);
  assert.deepEqual([followed.state.keys('catalog'), followed.state.keys('base')], [[], []]);
  await assert.rejects(
    followed.commit(() => undefined),
    BrokenPromiseError,
  );
});
