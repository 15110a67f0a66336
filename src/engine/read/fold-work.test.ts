import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeRange } from '../../model/key-range.ts';
import { CutWorld } from '../capture/cut-world.fixture.ts';
import { OpenedRuns } from './fold.ts';
import { sharedFold } from './fold-work.ts';

test('content is proven as it lies in the store now, whatever this process has read of it before', async () => {
  const world = await CutWorld.open();
  world.database.create('shop.orders');
  for (let i = 0; i < 9; i++) world.database.write('shop.orders', `k${i}`, 'first');
  await world.cut();
  const { signal } = new AbortController();
  const proven = async (): Promise<number> => {
    const { at, datasets } = world.resolve('latest');
    const [dataset] = datasets;
    assert.ok(dataset);
    const piece = { dataset, at, range: wholeRange, keeps: false };
    const runs = new OpenedRuns(world.context);
    const work = { signal, progress: () => {} };
    return (await sharedFold(world.context, runs, piece, work)).part.records;
  };
  await world.read('latest');
  assert.ok((await proven()) > 0);
  for await (const { name } of world.store.list('packs/d/')) {
    const bytes = await world.store.get(name);
    bytes[80] = (bytes[80] as number) ^ 1; // in its first frame
    await world.store.remove(name);
    await world.store.create(name, [bytes]);
  }
  await assert.rejects(proven(), { code: 'object-damaged' });
});
