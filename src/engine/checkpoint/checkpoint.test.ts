import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { isCodrError } from '../../base/error.ts';
import { collect } from '../../repository/collect/collect.ts';
import type { BaseRecord, DeltaRecord } from '../../repository/lineage/records.ts';
import { repositoryLineage } from '../../repository/repository.ts';
import { tierFanIn } from '../../repository/runs/tiers.ts';
import { CutWorld } from '../capture/cut-world.fixture.ts';
import { closeEpoch } from '../capture/epoch.ts';
import { deltasAt } from '../history/cut-history.ts';
import { baseAt } from '../history/source-history.ts';
import type { ProgressReport } from '../progress.ts';
import { type CheckpointOutcome, checkpoint } from './checkpoint.ts';

const forever = new AbortController().signal;
let world: CutWorld;

beforeEach(async () => {
  world = await CutWorld.open();
  for (const name of ['shop.orders', 'shop.users', 'shop.still']) world.database.create(name);
  for (let i = 0; i < 9; i++) world.database.write('shop.orders', `k${i}`, 'first');
  world.database.write('shop.still', 'k', 'never changed');
});

const run = (when = 'latest', signal = forever): Promise<CheckpointOutcome> =>
  checkpoint(world.context, { at: world.timeOf(when) }, signal);

/** Cuts of which each adds something to the table, with a deletion now and then. */
async function cuts(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const key = `k${(i * 7) % 10}`;
    if (i % 5 === 4) world.database.remove('shop.orders', key);
    else world.database.write('shop.orders', key, `cut ${i}`);
    if (i % 3 === 0) world.database.write('shop.users', key, `user ${i}`);
    await world.cut();
  }
}

async function assertAllAsTaken(): Promise<void> {
  for (const [id, seen] of world.model) assert.deepEqual(await world.read(id), seen, id);
}

/** How many trees a restore of the moment reads of the table. */
function treesAt(when: string, table = 'shop.orders'): number {
  const { state } = world.lineage;
  const at = world.timeOf(when);
  const base = baseAt(state, world.database.table(table).entry.dataset, 0, at);
  assert.ok(base);
  return 1 + deltasAt(state, base, at).length;
}

const baseOf = (table = 'shop.orders'): BaseRecord => {
  const { dataset } = world.database.table(table).entry;
  const base = baseAt(world.lineage.state, dataset, 0, world.timeOf('latest'));
  assert.ok(base);
  return base;
};

test('after a checkpoint a restore reads one tree, and every point reads as before', async () => {
  await cuts(6);
  const { datasets, unchanged } = await run();
  assert.deepEqual(
    datasets.map(({ namespace }) => namespace),
    ['shop.orders', 'shop.users'],
  );
  assert.equal(unchanged, 1, 'what nothing was added to is left alone');
  assert.equal(treesAt('latest'), 1);
  assert.equal(treesAt('cut:5'), 5, 'older points stay with the older base copy');
  await assertAllAsTaken();
});

test('later cuts are folded upon the new base copy, idle ones between them too', async () => {
  await cuts(3);
  await world.cut();
  await run();
  await world.cut();
  await cuts(4);
  assert.equal(treesAt('latest'), 5);
  await run();
  await cuts(2 + tierFanIn);
  await assertAllAsTaken();
  assert.equal(treesAt('latest'), 4, 'what came after it is merged as ever');
});

test('a checkpoint that was done is not done again', async () => {
  await cuts(3);
  await run();
  const before = [...world.keys('base')];
  const { datasets, unchanged } = await run();
  assert.deepEqual([datasets, unchanged], [[], 3]);
  assert.equal(before.length, 4);
  assert.deepEqual(world.keys('base'), before);
});

test('shadowed data goes; deletions stay, and keep late data deleted', async () => {
  await world.cut();
  world.database.write('shop.orders', 'k1', 'second');
  world.database.remove('shop.orders', 'k2');
  await world.cut();
  const { datasets } = await run();
  assert.deepEqual(
    datasets.map(({ records, recordsBefore }) => [records, recordsBefore]),
    [[9, 11]],
  );
  world.database.write('shop.orders', 'k2', 'a hint that comes late', 1);
  await world.cut();
  assert.equal((await world.read('latest'))['shop.orders']?.k2, undefined);
  await assertAllAsTaken();
});

test('a deletion goes once the newest cut proves that no replica holds it', async () => {
  world.database.remove('shop.orders', 'k2');
  await world.cut();
  world.database.remove('shop.orders', 'k3');
  world.database.settledVersion = world.database.seq - 1;
  await world.cut();
  const { datasets } = await run();
  assert.equal(datasets[0]?.records, 8, 'the second deletion stays');
  await assertAllAsTaken();
});

test('of a cut that is not the newest no deletion goes, and later cuts fold upon it without a gap', async () => {
  await world.cut();
  world.database.remove('shop.orders', 'k2');
  await world.cut();
  await world.cut();
  world.database.write('shop.orders', 'k2', 'again');
  await world.cut();
  world.database.settledVersion = world.database.seq;
  await world.cut();
  const { datasets } = await run('cut:3');
  assert.equal(datasets[0]?.records, 9);
  assert.equal(treesAt('cut:3'), 1);
  assert.equal(treesAt('latest'), 2);
  await assertAllAsTaken();
});

test('merges that reach over an older checkpoint are passed over, what they merged is not', async () => {
  await cuts(tierFanIn + 4);
  await run('cut:6');
  assert.equal(treesAt('cut:6'), 1);
  await assertAllAsTaken();
  await cuts(tierFanIn);
  await run();
  await assertAllAsTaken();
});

test('a checkpoint that later cuts could not be folded upon is refused, and nothing changes', async () => {
  await cuts(tierFanIn + 4);
  const { state } = world.lineage;
  const { dataset } = world.database.table('shop.orders').entry;
  const inner = state.keys('delta', `${dataset}/`).filter((rest) => {
    return state.get<DeltaRecord>(`delta/${rest}`)?.tier === undefined;
  })[7];
  await world.lineage.commit((draft) => void draft.set(`delta/${inner}`, null));
  const before = world.keys('base');
  await assert.rejects(run('cut:4'), (error) => isCodrError(error, 'time-not-restorable'));
  const { datasets } = await run();
  assert.equal(datasets.length, 2);
  assert.ok(before.length < world.keys('base').length);
  assert.equal(treesAt('latest'), 1);
});

test('a table that begins anew after the moment stays as it is', async () => {
  await cuts(4);
  world.database.truncate('shop.orders');
  world.database.write('shop.orders', 'k1', 'new life');
  await world.cut();
  await cuts(2);
  await run('cut:4');
  await assertAllAsTaken();
  await run();
  assert.equal(treesAt('latest'), 1);
  await assertAllAsTaken();
});

test('without the running epoch nothing is proven: deletions stay', async () => {
  world.database.remove('shop.orders', 'k2');
  await world.cut();
  world.database.write('shop.orders', 'k3', 'more');
  world.database.settledVersion = world.database.seq;
  await world.cut();
  await world.lineage.commit((draft): undefined => {
    closeEpoch(draft, 'a check found its data lost');
  });
  const { datasets } = await run();
  assert.equal(datasets[0]?.records, 9);
});

test('a process that dies leaves what is done, and the same command goes on with the rest', async () => {
  await cuts(4);
  const context = { ...world.context, world: { ...world.context.world } };
  const limits = { ...context.world.limits, workers: 1 };
  const stop = new AbortController();
  const reports: ProgressReport[] = [];
  const listener = (report: ProgressReport): void => {
    reports.push(report);
    if (report.note !== undefined) stop.abort(new Error('killed'));
  };
  const at = world.timeOf('latest');
  const dying = { ...context, world: { ...context.world, limits } };
  await assert.rejects(checkpoint(dying, { at, listener }, stop.signal), /killed/);
  assert.match(reports.map(({ note }) => note ?? '').join(), /: 1 of 2 done/);
  assert.deepEqual([treesAt('latest'), treesAt('latest', 'shop.users')], [1, 2]);
  await assertAllAsTaken();
  await world.reopen();
  const { datasets, unchanged } = await run();
  assert.deepEqual([datasets.length, unchanged], [1, 2]);
  assert.equal(treesAt('latest') + treesAt('latest', 'shop.users'), 2);
  await assertAllAsTaken();
});

test('a collection frees what a killed checkpoint stored, and nothing that points need', async () => {
  await cuts(4);
  const { context } = world;
  const { lineage } = context;
  const commit = lineage.commit.bind(lineage);
  let commits = 0;
  // The claim is the first commit; each dataset is one more, and the process dies before it.
  lineage.commit = async (...args) => {
    if (++commits === 2) throw new Error('killed');
    return await commit(...args);
  };
  const before = await packsOf();
  const limits = { ...context.world.limits, workers: 1 };
  const dying = { ...context, world: { ...context.world, limits } };
  await assert.rejects(checkpoint(dying, { at: world.timeOf('latest') }, forever), /killed/);
  const stored = await packsOf();
  assert.ok(stored > before, 'it had stored something');
  await world.reopen();
  const { packsRemoved } = await collect({
    repository: world.repository,
    lineage: await world.repository.openLineage(repositoryLineage),
    clock: world.clock,
    probe: context.world.probe,
    signal: forever,
  });
  assert.equal(packsRemoved, stored - before);
  await world.reopen();
  await assertAllAsTaken();
  await run();
  await assertAllAsTaken();
});

async function packsOf(): Promise<number> {
  let count = 0;
  for await (const _ of world.store.list('packs/')) count++;
  return count;
}

test('what a cut added and is gone without a word is not passed over, nor folded away', async () => {
  await cuts(4);
  const { state } = world.lineage;
  const { dataset } = world.database.table('shop.orders').entry;
  const [, middle] = deltasAt(state, { dataset, ...baseOf() }, world.timeOf('latest'));
  assert.ok(middle);
  await world.lineage.commit((draft): undefined => draft.set(middle.key, null) as undefined);
  await assert.rejects(world.read('latest'), { code: 'object-missing', object: 'shop.orders' });
  await assert.rejects(run(), { code: 'object-missing' });
  assert.deepEqual(await world.read('cut:2'), world.model.get('cut:2'));
});

test('who writes already is named, and nothing is read', async () => {
  await cuts(2);
  const other = { ...world.context.world.probe.self, pid: 1, claim: 'x', tickMs: 1, sinceMs: 0 };
  await world.lineage.commit((draft) => void draft.set('writer/current', other));
  const context = world.context;
  const probe = { ...context.world.probe, isAlive: async () => 'alive' as const };
  const busy = { ...context, world: { ...context.world, probe } };
  await assert.rejects(checkpoint(busy, { at: world.timeOf('latest') }, forever), (error) =>
    isCodrError(error, 'busy'),
  );
  assert.equal(baseOf().exactFrom, world.timeOf('cut:1').toString(16).padStart(16, '0'));
});

test('a time between two cuts is refused', async () => {
  await cuts(2);
  const at = world.timeOf('latest') + 1n;
  await assert.rejects(checkpoint(world.context, { at }, forever), (error) =>
    isCodrError(error, 'time-not-restorable'),
  );
});
