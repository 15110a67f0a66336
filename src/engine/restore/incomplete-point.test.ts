import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CutWorld } from '../capture/cut-world.fixture.ts';
import { incompleteWarnings } from './incomplete-point.ts';

test('a cut that is less than complete is named with what it may lack, a complete one is not', async () => {
  const world = await CutWorld.open();
  world.database.create('shop.orders');
  world.database.write('shop.orders', 'k', 'v');
  const warningsOf = (when: string): string[] =>
    incompleteWarnings(world.context, world.timeOf(when));
  await world.cut();
  world.database.grade = 'quorum-safe';
  await world.cut();
  world.database.grade = 'best-effort';
  await world.cut();
  assert.deepEqual(warningsOf('cut:1'), []);
  assert.match(
    warningsOf('cut:2').join(),
    /cut:2.* is quorum-safe, .*fewer replicas than a quorum/,
  );
  assert.match(warningsOf('cut:3').join(), /is best-effort, acknowledged writes may be missing/);
});

test('why a cut is not complete is said as the backup said it', async () => {
  const world = await CutWorld.open();
  world.database.create('shop.orders');
  world.database.table('shop.orders').damaged = true;
  await world.cut();
  const [warning] = incompleteWarnings(world.context, world.timeOf('cut:1'));
  assert.match(warning ?? '', /: shop\.orders: a file is damaged$/);
});
