import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { DeltaRecord } from '../../repository/lineage/records.ts';
import { tierFanIn } from '../../repository/runs/tiers.ts';
import { deltasAt, isUnbroken, type StoredDelta } from '../history/cut-history.ts';
import { baseAt } from '../history/source-history.ts';
import { CutWorld } from './cut-world.fixture.ts';
import { dueDeltas, mergeDueDeltas } from './merge-deltas.ts';

let world: CutWorld;

beforeEach(async () => {
  world = await CutWorld.open();
  world.database.create('shop.orders');
  world.database.create('shop.users');
});

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

function chain(when: string, table = 'shop.orders'): StoredDelta[] {
  const { state } = world.lineage;
  const { dataset } = world.database.table(table).entry;
  const base = baseAt(state, dataset, 0, world.timeOf(when));
  assert.ok(base);
  const found = deltasAt(state, base, world.timeOf(when));
  assert.ok(isUnbroken(found, base.exactFrom), 'each begins where the next one ends');
  return found;
}

test('twelve cuts are folded as one tree, beside theirs, and every point stays as it was', async () => {
  await cuts(1 + tierFanIn + 3);
  assert.deepEqual(
    chain('latest').map(({ tier = 0 }) => tier),
    [0, 0, 0, 1],
  );
  assert.equal(chain('cut:12').length, 11, 'the points before the twelfth use the short ones');
  for (const [id, seen] of world.model) assert.deepEqual(await world.read(id), seen, id);
});

test('twelve of a tier become one of the next, so that folds stay short whatever the number of cuts', async () => {
  await cuts(1 + tierFanIn * tierFanIn + 1);
  assert.deepEqual(
    chain('latest').map(({ tier = 0 }) => tier),
    [0, 2],
  );
  const longest = [...world.model.keys()].map((id) => chain(id).length);
  assert.ok(Math.max(...longest) <= 2 * (tierFanIn - 1), `${Math.max(...longest)}`);
  for (const id of ['cut:2', 'cut:80', 'cut:144', 'cut:145', 'cut:146']) {
    assert.deepEqual(await world.read(id), world.model.get(id), id);
  }
});

test('a merge keeps deletions: what an older cut brings again stays deleted', async () => {
  world.database.write('shop.orders', 'k1', 'first');
  await world.cut();
  world.database.remove('shop.orders', 'k1');
  await cuts(tierFanIn);
  const [merged] = chain('latest');
  assert.equal(merged?.tier, 1);
  assert.equal(
    (await world.read('latest'))['shop.orders']?.k1,
    world.model.get('cut:13')?.['shop.orders']?.k1,
  );
  assert.ok(merged && merged.tree.records >= 8, 'deletions are records of the merge');
});

test('a table that begins anew is merged from there on alone', async () => {
  await cuts(8);
  world.database.truncate('shop.orders');
  await cuts(8);
  assert.ok(chain('latest').every(({ tier }) => tier === undefined));
  await cuts(6);
  assert.deepEqual(chain('latest').at(-1)?.tier, 1);
  for (const [id, seen] of world.model) assert.deepEqual(await world.read(id), seen, id);
});

test('no merge is begun when the time is up; the next backup goes on', async () => {
  await cuts(1 + tierFanIn);
  // As a process leaves it that dies behind its commit: the twelve, and no merge.
  await world.lineage.commit((draft): undefined => {
    for (const [rest, { tier }] of draft.list<DeltaRecord>('delta')) {
      if (tier !== undefined) draft.set(`delta/${rest}`, null);
    }
  });
  const signal = new AbortController().signal;
  const options = { claim: world.claim, msMax: -1 };
  assert.equal(await mergeDueDeltas(world.context, 0, options, signal), 0);
  assert.equal(await mergeDueDeltas(world.context, 0, { ...options, msMax: 1000 }, signal), 1);
  assert.equal(await mergeDueDeltas(world.context, 0, { ...options, msMax: 1000 }, signal), 0);
});

test('a merge by a writer that was replaced is not committed', async () => {
  await cuts(tierFanIn);
  world.database.write('shop.orders', 'k1', 'the twelfth');
  let commits = 0;
  world.claim.check = () => {
    if (++commits === 2) throw new Error('another writes');
  };
  await assert.rejects(world.cut(), /another writes/);
  assert.ok(chain('latest').every(({ tier }) => tier === undefined));
});

test('due are the oldest twelve of the newest tier that is full', () => {
  const delta = (n: number, tier?: number): StoredDelta =>
    ({ to: String(n).padStart(4, '0'), ...(tier && { tier }) }) as StoredDelta;
  const singles = Array.from({ length: 14 }, (_, i) => delta(100 - i));
  const older = Array.from({ length: 12 }, (_, i) => delta(50 - i, 1));
  assert.deepEqual(
    dueDeltas([...singles, ...older]).map(({ to }) => Number(to)),
    [98, 97, 96, 95, 94, 93, 92, 91, 90, 89, 88, 87],
  );
  assert.equal(dueDeltas([...singles.slice(0, 11), ...older])[0], older[0]);
  assert.deepEqual(dueDeltas([...singles.slice(0, 11), ...older.slice(0, 11)]), []);
  assert.deepEqual(dueDeltas([]), []);
});
