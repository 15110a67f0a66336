// What `codr check --repair` does about lost packs of a source of cuts, from the damage to the next cut.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { SeededRandom } from '../../base/random.ts';
import { packId } from '../../model/id.ts';
import { type CheckOutcome, check } from '../../repository/check/check.ts';
import { collect } from '../../repository/collect/collect.ts';
import { openFixture, probe, testClock } from '../../repository/collect/repository-fixture.ts';
import { PackSet } from '../../repository/lineage/pack-set.ts';
import {
  type PackRecord,
  packRecords,
  retainedPackIds,
} from '../../repository/lineage/pack-table.ts';
import { packName } from '../../repository/pack/pack-format.ts';
import { repositoryLineage } from '../../repository/repository.ts';
import { tierFanIn } from '../../repository/runs/tiers.ts';
import { epochsOf } from '../history/source-history.ts';
import { resolvePoint } from '../read/point.ts';
import { NeededObjects } from '../verify/needed-objects.ts';
import { CutWorld } from './cut-world.fixture.ts';
import { departures, giveUp, noteLost } from './give-up.ts';

let world: CutWorld;
const { signal } = new AbortController();

beforeEach(async () => {
  world = await CutWorld.open();
  world.database.create('shop.orders');
  world.database.create('shop.users');
  for (let i = 0; i < 9; i++) world.database.write('shop.orders', `k${i}`, 'first');
  world.database.write('shop.users', 'a', 'anna');
  await world.cut();
});

/** Cuts of which each adds to the orders; of those named also to the users. */
async function cuts(count: number, withUsers: readonly number[] = []): Promise<void> {
  for (let i = 0; i < count; i++) {
    const number = world.model.size + 1;
    world.database.write('shop.orders', `k${number % 9}`, `cut ${number}`);
    if (withUsers.includes(number)) world.database.write('shop.users', 'b', `cut ${number}`);
    await world.cut();
  }
}

/** Packs that only what a cut added to a table needs: of the single delta, or of a merge. */
function packsOf(table: string, when: string, tier?: number): PackRecord[] {
  const { state } = world.lineage;
  const { dataset } = world.database.table(table).entry;
  const at = world.timeOf(when).toString(16).padStart(16, '0');
  const kind = state.get(`base/${dataset}/${at}`) ? 'base' : 'delta';
  const holders = ['base', 'delta'].flatMap((one) =>
    state.list<{ packs: string; tier?: number }>(one).map(([rest, { packs, tier: its }]) => ({
      packs: PackSet.parse(packs),
      isWanted:
        one === kind && rest.startsWith(`${dataset}/${at}`) && (kind === 'base' || its === tier),
    })),
  );
  const wanted = holders.filter(({ isWanted }) => isWanted);
  const others = PackSet.unionOf(holders.filter(({ isWanted }) => !isWanted).map((h) => h.packs));
  const own = packRecords(state, PackSet.unionOf(wanted.map((h) => h.packs)));
  const rest = new Set(packRecords(state, others).map(({ id }) => id));
  return own.filter(({ id, kind: k }) => !rest.has(id) && k !== 'c');
}

async function lose(packs: readonly PackRecord[]): Promise<void> {
  assert.ok(packs.length > 0, 'there is something to lose');
  for (const pack of packs) await world.store.remove(packName(pack));
  await world.reopen();
}

/** As `codr check --repair` does it. True when times are lost. */
async function repair(): Promise<boolean> {
  const outcome = await look(true);
  const hurt = outcome.losses.lineages.find(({ lineage }) => lineage === 'aa');
  const { connector, scope } = world.context;
  const isLost = hurt && (await giveUp(world.lineage, hurt, departures(connector, scope)));
  await world.reopen();
  return isLost ?? false;
}

/** Of a table alone: packs are shared by all tables of a cut. */
async function giveUpOf(kind: 'base' | 'delta', table: string, when: string): Promise<void> {
  const { dataset } = world.database.table(table).entry;
  const at = world.timeOf(when).toString(16).padStart(16, '0');
  const lost = new Set(world.keys(kind).filter((rest) => rest.startsWith(`${dataset}/${at}`)));
  assert.equal(lost.size, 1);
  const nothing = new Set<string>();
  const none = { lineage: 'aa', bases: nothing, deltas: nothing, runs: nothing, segments: nothing };
  const losses = { ...none, [kind === 'base' ? 'bases' : 'deltas']: lost };
  await giveUp(world.lineage, losses, departures(world.context.connector, world.context.scope));
}

async function look(isRepair = false): Promise<CheckOutcome> {
  return await check(
    {
      store: world.store,
      credential: undefined,
      random: new SeededRandom(6),
      open: async (store) => await openFixture(store, { seed: 7 }),
      lookers: { slots: 4, run: async (_piece, here, own) => await here(own) },
      pinned: async (_repository, _lineage, work) => await work(),
      noteLost: async (packs) => await noteLost(world.lineage, packs),
      describe: () => (lineage) => ({
        name: lineage,
        dataset: (id) => world.nameOf(id),
        time: (hex) => `cut:${BigInt(`0x${hex}`) & 0xf_ffffn}`,
        key: (key) => Buffer.from(key).toString(),
      }),
      signal,
    },
    { readDataPercent: 0, repair: isRepair },
  );
}

/** Of all cuts those that can be read back, which then are as they were taken. */
async function whole(): Promise<string[]> {
  const ids: string[] = [];
  for (const [id, seen] of world.model) {
    try {
      assert.deepEqual(await world.read(id), seen, id);
      ids.push(id);
    } catch (error) {
      if ((error as { code?: string }).code !== 'time-not-restorable') throw error;
    }
  }
  return ids;
}

const named = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `cut:${from + i}`);

test('a check names the table and the cut whose tree has lost something', async () => {
  await cuts(3);
  await lose(packsOf('shop.orders', 'cut:3'));
  const { problems, losses } = await look();
  const affected = problems.flatMap((one) => one.affected);
  assert.ok(
    affected.some((one) => one.startsWith('aa: shop.orders, what the cut of cut:3 added:')),
    affected.join('\n'),
  );
  const [{ bases, deltas } = { bases: new Set(), deltas: new Set() }] = losses.lineages.filter(
    ({ lineage }) => lineage === 'aa',
  );
  assert.deepEqual([bases.size, deltas.size], [0, 1]);
});

test('what a cut added is lost: points from it on are a hole, and the next cut begins afresh', async () => {
  await cuts(4, [2, 4]);
  await lose(packsOf('shop.orders', 'cut:3'));
  assert.equal(await repair(), true);
  assert.deepEqual(await whole(), named(1, 2));
  assert.notEqual(epochsOf(world.lineage.state).at(-1)?.closedAt, undefined);
  assert.deepEqual((await look()).problems, []);
  await cuts(2);
  assert.equal(world.database.asked.at(-2)?.memory, undefined, 'nothing counts that was captured');
  assert.deepEqual(await whole(), [...named(1, 2), ...named(6, 7)]);
});

test('other tables of the cuts in the hole stay restorable', async () => {
  await cuts(3, [3]);
  await giveUpOf('delta', 'shop.orders', 'cut:3');
  const { lineage, connector, scope } = world.context;
  const users = { include: ['shop.users'], exclude: [] };
  const context = { state: lineage.state, connector, scope };
  assert.equal(resolvePoint(context, world.timeOf('cut:4'), users).datasets.length, 1);
});

test('a lost base copy costs its table every cut until the next base copy', async () => {
  await cuts(2);
  world.database.truncate('shop.orders');
  world.database.write('shop.orders', 'k1', 'after truncate');
  await world.cut();
  await cuts(1);
  await giveUpOf('base', 'shop.orders', 'cut:1');
  assert.deepEqual(await whole(), named(4, 5));
  assert.equal(epochsOf(world.lineage.state).at(-1)?.closedAt, undefined, 'history goes on');
  const { dataset } = world.database.table('shop.orders').entry;
  const left = world.keys('delta').filter((rest) => rest.startsWith(dataset));
  assert.equal(left.length, 1, 'what was added to the lost base copy holds no packs any more');
  await cuts(1);
  assert.deepEqual(await whole(), named(4, 6));
});

test('a merge carries the points behind a lost cut, and the cut alone is a hole', async () => {
  await cuts(tierFanIn + 1);
  await lose(packsOf('shop.orders', 'cut:5'));
  await repair();
  // Cuts 5 to 12 fold over the lost one; 13 and 14 over the merge of 2 to 13.
  assert.deepEqual(await whole(), [...named(1, 4), ...named(13, 14)]);
  assert.equal(epochsOf(world.lineage.state).at(-1)?.closedAt, undefined, 'history goes on');
  await cuts(2);
  assert.deepEqual(await whole(), [...named(1, 4), ...named(13, 16)]);
});

test('a lost merge costs nothing while the cuts that it holds are there', async () => {
  await cuts(tierFanIn + 1);
  await lose(packsOf('shop.orders', 'cut:13', 1));
  assert.equal(await repair(), false, 'no time is lost');
  assert.deepEqual(await whole(), named(1, 14));
  await cuts(1);
  assert.deepEqual(await whole(), named(1, 15));
});

test('of a table that went, only the cuts that had it are lost', async () => {
  await cuts(1);
  const packs = packsOf('shop.orders', 'cut:2');
  world.database.tables.delete('shop.orders');
  await world.cut();
  await lose(packs);
  await repair();
  assert.deepEqual(await whole(), ['cut:1', 'cut:3']);
  assert.equal(epochsOf(world.lineage.state).at(-1)?.closedAt, undefined, 'history goes on');
});

test('verify misses the pack of a cut, for the points that need it alone', async () => {
  await cuts(2);
  const [lost] = packsOf('shop.orders', 'cut:3');
  assert.ok(lost);
  await lose([lost]);
  const lacks = async (when: string): Promise<(string | undefined)[]> => {
    const { at, datasets } = world.resolve(when);
    const needed = new NeededObjects(world.context, at, signal);
    return await Promise.all(datasets.map((dataset) => needed.lacks(dataset)));
  };
  assert.deepEqual(await lacks('cut:2'), [undefined, undefined]);
  assert.deepEqual(
    (await lacks('cut:3')).map((why) => why !== undefined),
    [true, false],
  );
});

test('packs of what cuts added are retained, and freed with the source', async () => {
  await cuts(3);
  const packs = packsOf('shop.orders', 'cut:3').map(({ id }) => packId(id));
  assert.ok(packs.length > 0);
  const retained = retainedPackIds(world.lineage.state);
  assert.ok(packs.every((id) => retained.has(id)));
  assert.equal(await collected(), 0, 'nothing is free while the source is there');
  assert.deepEqual(await whole(), named(1, 4));
  const own = await world.repository.openLineage(repositoryLineage);
  await own.commit((draft): undefined => draft.set('source/aa', null) as undefined);
  assert.ok((await collected()) >= packs.length);
  for await (const { name } of world.store.list('packs/')) {
    assert.ok(!packs.some((id) => name.endsWith(id)), name);
  }
});

async function collected(): Promise<number> {
  const repository = await openFixture(world.store, { seed: 9 });
  const lineage = await repository.openLineage(repositoryLineage);
  const outcome = await collect({ repository, lineage, clock: testClock, probe, signal });
  return outcome.packsRemoved;
}
