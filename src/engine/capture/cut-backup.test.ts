import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { cutsOf } from '../history/cut-history.ts';
import { epochsOf, restorableIntervals } from '../history/source-history.ts';
import { ProgressMeter } from '../progress.ts';
import { SourcePace } from '../source-pace.ts';
import { takeCut } from './cut-backup.ts';
import { cutSession } from './cut-source.fixture.ts';
import { CutWorld, wallOf } from './cut-world.fixture.ts';
import { closeEpoch } from './epoch.ts';

let world: CutWorld;

beforeEach(async () => {
  world = await CutWorld.open();
  world.database.create('shop.orders');
  world.database.create('shop.users');
  for (let i = 0; i < 9; i++) world.database.write('shop.orders', `k${i}`, 'first');
});

/** Every cut taken so far can be read back, as the database was then. */
async function assertAllAsTaken(): Promise<void> {
  for (const [id, seen] of world.model) assert.deepEqual(await world.read(id), seen, id);
}

test('the first cut makes a base copy of every table, empty ones too', async () => {
  const point = await world.cut();
  assert.deepEqual(
    [point.id, point.grade, point.datasets, point.records],
    ['cut:1', 'complete', 2, 9],
  );
  assert.equal(world.keys('base').length, 2);
  assert.deepEqual(world.keys('delta'), []);
  await assertAllAsTaken();
});

test('later cuts add only what is new, deletions and late writes too; every cut stays as it was', async () => {
  await world.cut();
  world.database.write('shop.orders', 'k3', 'second');
  world.database.remove('shop.orders', 'k4');
  const second = await world.cut();
  world.database.write('shop.orders', 'k3', 'late', 1); // older than what is there
  world.database.write('shop.users', 'a', 'anna');
  const third = await world.cut();
  assert.deepEqual(world.addedAt(second), ['shop.orders']);
  assert.deepEqual(world.addedAt(third).sort(), ['shop.orders', 'shop.users']);
  assert.deepEqual(third.estimated, true);
  await assertAllAsTaken();
});

test('a cut that finds nothing new makes a point and no tree', async () => {
  await world.cut();
  const point = await world.cut();
  assert.equal(point.id, 'cut:2');
  assert.deepEqual([world.keys('delta').length, world.keys('base').length], [0, 2]);
  world.database.write('shop.orders', 'k1', 'after the pause');
  await world.cut();
  await assertAllAsTaken();
});

test('a table that was emptied begins anew, and nothing older is folded into it', async () => {
  await world.cut();
  world.database.write('shop.orders', 'k1', 'second');
  await world.cut();
  world.database.truncate('shop.orders');
  world.database.write('shop.orders', 'k8', 'after truncate');
  await world.cut();
  world.database.write('shop.orders', 'k9', 'later');
  await world.cut();
  assert.deepEqual(await world.read('cut:3'), {
    'shop.orders': { k8: 'after truncate' },
    'shop.users': {},
  });
  await assertAllAsTaken();
});

test('a table that was dropped is in the cuts before, and in none after', async () => {
  await world.cut();
  world.database.tables.delete('shop.orders');
  await world.cut();
  world.database.create('shop.orders');
  world.database.write('shop.orders', 'x', 'another table of the same name');
  await world.cut();
  assert.deepEqual(Object.keys(await world.read('cut:2')), ['shop.users']);
  await assertAllAsTaken();
});

test('a cut that is less sure than wanted fails as partial, and leaves nothing behind', async () => {
  world.database.grade = 'best-effort';
  await assert.rejects(world.cut('quorum-safe'), { code: 'partial' });
  assert.deepEqual([world.keys('cut'), world.keys('base'), world.keys('point')], [[], [], []]);
  assert.deepEqual(world.database.calls, { committed: 0, disposed: 1, released: 0 });
  world.database.grade = 'quorum-safe';
  const point = await world.cut('quorum-safe');
  assert.deepEqual([point.id, point.grade], ['cut:1', 'quorum-safe']);
  await assertAllAsTaken();
});

test('a damaged file has its table read again, and nothing of the first reading stays', async () => {
  world.database.table('shop.orders').damaged = true;
  const point = await world.cut();
  assert.equal(point.grade, 'quorum-safe');
  assert.deepEqual(cutsOf(world.lineage.state)[0]?.notes, ['shop.orders: a file is damaged']);
  await assertAllAsTaken();
});

test('a point is named by its number, by its wall clock, and by the newest', async () => {
  const first = await world.cut();
  await world.cut();
  const { time } = first;
  assert.equal(world.timeOf('cut:1'), BigInt(`0x${time}`));
  assert.equal(world.timeOf(wallOf(first)), BigInt(`0x${time}`));
  assert.equal(world.timeOf('latest'), world.timeOf('cut:2'));
  assert.deepEqual(
    restorableIntervals(world.lineage.state).map(({ from, to }) => [from, to]),
    ['cut:1', 'cut:2'].map((id) => [world.timeOf(id), world.timeOf(id)]),
  );
});

test('a time between two cuts is refused, naming both neighbours', async () => {
  const [first, second] = [await world.cut(), await world.cut()];
  await assert.rejects(
    world.read(wallOf(first, 20_000)),
    (error: Error & { code?: string; remedy?: string }) => {
      assert.equal(error.code, 'time-not-restorable');
      assert.match(error.message, /between two cuts/);
      for (const near of [first, second])
        assert.ok(error.remedy?.includes(wallOf(near)), error.remedy);
      return true;
    },
  );
});

test('a process that dies before the commit leaves nothing, and the next cut is right', async () => {
  await world.cut();
  world.database.write('shop.orders', 'k1', 'second');
  world.database.beforeReport = () => {
    throw new Error('killed');
  };
  await assert.rejects(world.cut(), /killed/);
  assert.deepEqual(world.keys('delta'), []);
  world.database.beforeReport = () => {};
  await world.reopen();
  world.database.write('shop.orders', 'k2', 'third');
  const point = await world.cut();
  assert.deepEqual([point.id, world.database.calls.committed], ['cut:2', 2]);
  await assertAllAsTaken();
});

test('a writer that another has replaced commits nothing', async () => {
  await world.cut();
  world.claim.check = () => {
    throw new Error('another writes');
  };
  await assert.rejects(world.cut(), /another writes/);
  assert.equal(world.keys('cut').length, 1);
});

test('what a collection condemns while a cut is read is stored anew', async () => {
  await world.cut();
  const { lineage } = world;
  const packs = lineage.state.list<{ id: string }>('pack').map(([, { id }]) => id);
  assert.ok(packs.length > 0);
  // The same records again: all of them would be found in packs that are condemned by then.
  for (const { value: _, key } of [...world.database.table('shop.orders').writes]) {
    world.database.write('shop.users', key, 'first', Number(key.slice(1)) + 1);
  }
  let isDone = false;
  let before = 0;
  world.database.beforeReport = () => {
    before++;
  };
  world.claim.check = () => {
    if (isDone) return;
    isDone = true;
    throw new Error('the first commit waits');
  };
  await assert.rejects(world.cut(), /waits/);
  await lineage.commit((draft): undefined => {
    draft.set('condemned/c1', { packs, seq: draft.seq });
  });
  await world.cut();
  assert.equal(before, 3, 'one for the cut that failed, two for the one that stored anew');
  await assertAllAsTaken();
});

test('a source that was rebased starts afresh, and numbers and times go on', async () => {
  await world.cut();
  world.database.write('shop.orders', 'k1', 'second');
  await world.cut();
  await world.lineage.commit((draft): undefined => {
    closeEpoch(draft, 'another was accepted');
    for (const stream of [...draft.keys('stream')]) draft.set(`stream/${stream}`, null);
  });
  assert.equal(restorableIntervals(world.lineage.state).length, 2, 'cuts stay meanwhile');
  await assertAllAsTaken();
  const point = await world.cut();
  const asked = world.database.asked.at(-1);
  assert.deepEqual(
    [point.id, asked?.number, asked?.memory, asked?.entries],
    ['cut:3', 2, undefined, []],
  );
  assert.deepEqual(epochsOf(world.lineage.state).length, 2);
  world.database.write('shop.orders', 'k2', 'in the second epoch');
  await world.cut();
  await assertAllAsTaken();
});

test('a cut that is not later than the last is refused: clocks went back', async () => {
  await world.cut();
  world.database.nowMs -= 3_600_000;
  await assert.rejects(world.cut(), { code: 'source-unfit' });
  assert.equal(world.keys('cut').length, 1);
});

test('a cut is read at the pace that its source bears', async () => {
  const pace = new SourcePace({ name: 'ring', clock: world.clock, log: silentLogger });
  const session = { ...cutSession(world.database), pressure: async () => '40 operations wait' };
  const meter = new ProgressMeter(world.clock);
  const { claim } = world;
  await takeCut(
    { ...world.context, pace },
    { session, claim, meter, minGrade: 'best-effort' },
    new AbortController().signal,
  );
  assert.equal(pace.note, 'slowed to 50 %: 40 operations wait');
});
