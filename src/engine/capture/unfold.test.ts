import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { checkpoint } from '../checkpoint/checkpoint.ts';
import { restorableIntervals } from '../history/source-history.ts';
import { CutWorld } from './cut-world.fixture.ts';
import { departures, giveUp } from './give-up.ts';

let world: CutWorld;
const { signal } = new AbortController();

beforeEach(async () => {
  world = await CutWorld.open();
  world.database.create('shop.orders');
  for (let i = 0; i < 9; i++) world.database.write('shop.orders', `k${i}`, 'first');
});

async function cuts(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    world.database.write('shop.orders', `k${i % 9}`, `cut ${i}`);
    world.database.remove('shop.orders', `k${(i + 4) % 9}`);
    await world.cut();
  }
}

const fold = () => checkpoint(world.context, { at: world.timeOf('latest') }, signal);
const basesOf = (): readonly string[] => world.keys('base');

/** As `codr check --repair` does it. */
async function lose(what: {
  bases?: readonly string[];
  deltas?: readonly string[];
}): Promise<boolean> {
  const { connector, scope } = world.context;
  const losses = {
    ...{ lineage: 'aa', runs: new Set<string>(), segments: new Set<string>() },
    bases: new Set(what.bases),
    deltas: new Set(what.deltas),
  };
  return await giveUp(world.lineage, losses, departures(connector, scope));
}

async function assertAllAsTaken(): Promise<void> {
  for (const [id, seen] of world.model) assert.deepEqual(await world.read(id), seen, id);
}

test('a base copy that was folded may be lost: all is there still that it was made of', async () => {
  await cuts(4);
  await fold();
  await cuts(3);
  const [first, folded] = basesOf();
  assert.ok(first && folded);
  assert.equal(await lose({ bases: [folded] }), false, 'no time is lost');
  assert.deepEqual(basesOf(), [first]);
  assert.equal(restorableIntervals(world.lineage.state).length, 7);
  await assertAllAsTaken();
  await cuts(1);
  await assertAllAsTaken();
});

test('what followed upon it follows upon what came before, over cuts that added nothing', async () => {
  await cuts(3);
  await world.cut();
  await fold();
  await world.cut();
  await cuts(2);
  await fold();
  await cuts(2);
  const [, ...folded] = basesOf();
  assert.equal(folded.length, 2);
  await lose({ bases: folded });
  assert.equal(restorableIntervals(world.lineage.state).length, 9);
  await assertAllAsTaken();
});

test('what is lost beside it is lost, and nothing else', async () => {
  await cuts(3);
  await world.cut();
  await fold();
  await cuts(3);
  const [, folded] = basesOf();
  const next = world.keys('delta').find((rest) => rest.endsWith(`.${folded?.split('/')[1]}`));
  assert.ok(folded && next);
  assert.equal(await lose({ bases: [folded], deltas: [next] }), true);
  const { state } = world.lineage;
  assert.deepEqual(
    restorableIntervals(state).map(({ to }) => to),
    ['cut:1', 'cut:2', 'cut:3', 'cut:4'].map((id) => world.timeOf(id)),
  );
  for (const id of ['cut:1', 'cut:4']) assert.deepEqual(await world.read(id), world.model.get(id));
});

test('the base copy that another was folded of may be lost: later moments have the other', async () => {
  await cuts(3);
  await fold();
  await cuts(2);
  await lose({ bases: basesOf().slice(0, 1) });
  assert.deepEqual(
    restorableIntervals(world.lineage.state).map(({ to }) => to),
    ['cut:3', 'cut:4', 'cut:5'].map((id) => world.timeOf(id)),
  );
  for (const id of ['cut:3', 'cut:5']) assert.deepEqual(await world.read(id), world.model.get(id));
});

test('a folded base copy is a copy of its own once an addition that it was made of is lost', async () => {
  await cuts(3);
  await fold();
  await cuts(3);
  const [, folded] = basesOf();
  const added = world.keys('delta').find((rest) => rest.startsWith(`${folded}.`));
  assert.ok(folded && added);
  await lose({ deltas: [added] });
  assert.equal(restorableIntervals(world.lineage.state).length, 6, 'the fold holds it still');
  await assertAllAsTaken();
  await lose({ bases: [folded] });
  assert.deepEqual(
    restorableIntervals(world.lineage.state).map(({ to }) => to),
    ['cut:1', 'cut:2'].map((id) => world.timeOf(id)),
    'now nothing does',
  );
  await world.cut();
  assert.deepEqual(await world.read('latest'), world.model.get('cut:7'));
});

test('so it is once the base copy is lost that it was folded of, with an older one before', async () => {
  await cuts(2);
  world.database.truncate('shop.orders');
  await cuts(2);
  await fold();
  await cuts(2);
  const [, begun, folded] = basesOf();
  assert.ok(begun && folded);
  await lose({ bases: [begun] });
  await lose({ bases: [folded] });
  assert.deepEqual(
    restorableIntervals(world.lineage.state).map(({ to }) => to),
    ['cut:1', 'cut:2'].map((id) => world.timeOf(id)),
  );
});
