import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectorContext } from '../../../../test/harness/context.ts';
import type { TargetItem, TargetOptions, TargetOwner } from '../../restore-target.ts';
import { MongodbTarget } from './mongodb-target.ts';
import {
  finishedBy,
  hashes,
  itemsOf,
  optionsOf,
  restore,
  restorer,
  root,
  set,
  signal,
  sourceRecords,
} from './target-fixture.ts';

test('the same operation resumes: what is done stays, what was begun is made anew', async () => {
  const db = root.db('resume');
  await db.collection('first').insertOne({ v: 1 });
  await db.collection('second').insertMany([{ v: 1 }, { v: 2 }]);
  const options = optionsOf('resume', 'resume2', { operation: 'resumed' });
  const items = await itemsOf(options);
  const [first, second] = items as [TargetItem, TargetItem];
  await using target = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  await target.plan(items, options, signal);
  await target.begin(signal);
  await target.create(first, signal);
  const loaded = await target.load(first, sourceRecords(first), signal);
  await target.done(first, finishedBy(first, loaded), signal);
  await target.create(second, signal);
  await root.db('resume2').collection('second').insertOne({ v: 'half' });

  const { plan } = await restore(options);

  assert.deepEqual(plan.finished, [finishedBy(first, loaded)]);
  assert.deepEqual(await hashes(root.db('resume2')), await hashes(db));
});

/** Loads the first item of `options`, notes it as finished, and goes away. */
async function finishFirst(options: TargetOptions): Promise<TargetItem> {
  const [item] = (await itemsOf(options)) as [TargetItem];
  await using target = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  await target.plan([item], options, signal);
  await target.begin(signal);
  await target.create(item, signal);
  const loaded = await target.load(item, sourceRecords(item), signal);
  await target.done(item, finishedBy(item, loaded), signal);
  return item;
}

for (const how of ['dropped', 'emptied'] as const) {
  test(`a finished collection that was ${how} since is not finished`, async () => {
    await root.db(`was-${how}`).collection('a').insertOne({ v: 1 });
    const options = optionsOf(`was-${how}`, `was2-${how}`, { operation: how });
    await finishFirst(options);
    const loaded = root.db(`was2-${how}`).collection('a');
    await (how === 'dropped' ? loaded.drop() : loaded.deleteMany({}));
    const { plan } = await restore(options);
    assert.deepEqual(plan.finished, []);
    assert.equal(await loaded.countDocuments(), 1);
  });
}

test('a collection that another made under a name of an earlier run stays theirs', async () => {
  await root.db('ours').collection('a').insertOne({ v: 1 });
  const options = optionsOf('ours', 'theirs', { operation: 'strangers' });
  const item = await finishFirst(options);
  const theirs = root.db('theirs').collection('a');
  await theirs.drop();
  await theirs.insertOne({ mine: true });
  await using target = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  const plan = await target.plan([item], options, signal);
  assert.deepEqual([plan.conflicts, plan.finished], [['theirs.a'], []]);
  await assert.rejects(target.create(item, signal), { code: 'target-not-empty' });
  assert.equal(await theirs.countDocuments({ mine: true }), 1);
});

test('a collection that took the place of the proven one is not swapped in', async () => {
  await root.db('place').collection('a').insertOne({ v: 1 });
  const options = optionsOf('place', 'place', { drop: true, operation: 'place' });
  const [item] = (await itemsOf(options)) as [TargetItem];
  await using target = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  await target.plan([item], options, signal);
  await target.begin(signal);
  await target.create(item, signal);
  const beside = (await root.db('place').listCollections().toArray()).find(({ name }) =>
    name.startsWith('codr_restore_'),
  );
  assert.ok(beside);
  await root.db('place').collection(beside.name).drop();
  await root.db('place').createCollection(beside.name);
  await assert.rejects(target.finish([item], signal), { code: 'target-unfit' });
  assert.equal(await root.db('place').collection('a').countDocuments(), 1);
});

test('a restore that another living run holds is busy; it is taken over when that is dead or gives it back', async () => {
  await root.db('owned').collection('a').insertOne({ v: 1 });
  const dead = new Set<string>();
  const run = (id: string): TargetOwner => ({
    id,
    name: `process ${id}`,
    isAlive: async (other) => (dead.has(other) ? 'dead' : 'alive'),
  });
  const options = optionsOf('owned', 'owned2', { operation: 'owned' });
  const items = await itemsOf(options);
  const open = async (id: string): Promise<MongodbTarget> => {
    const target = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
    await target.plan(items, { ...options, owner: run(id) }, signal);
    return target;
  };
  await using one = await open('1');
  await using two = await open('2');
  await using three = await open('3');
  await one.begin(signal);
  await assert.rejects(two.begin(signal), { code: 'busy', message: /process 1/ });
  dead.add('1');
  await two.begin(signal);
  await assert.rejects(three.begin(signal), { code: 'busy', message: /process 2/ });
  await two[Symbol.asyncDispose]();
  await three.begin(signal);
});

test('a run whose plan knew a restore that another run has ended since is refused, and takes nothing for its own', async () => {
  await root.db('ended').collection('a').insertOne({ v: 1 });
  const options = optionsOf('ended', 'ended2', { operation: 'ended' });
  const item = await finishFirst(options);
  await using late = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  await late.plan([item], options, signal);
  await restore(options);
  const inUse = root.db('ended2').collection('a');
  await inUse.insertOne({ written: 'after the restore' });
  await assert.rejects(late.begin(signal), { code: 'busy', message: /has ended this restore/ });
  assert.equal(await inUse.countDocuments(), 2);
  assert.deepEqual(await root.db('codr_restore').listCollections({ name: 'ended' }).toArray(), []);
});

test('a run that wakes when another has taken its restore over and ended it makes no marker again', async () => {
  await root.db('woken').collection('a').insertOne({ v: 1 });
  const options = optionsOf('woken', 'woken2', { operation: 'woken' });
  const items = await itemsOf(options);
  const owner = (id: string): TargetOwner => ({
    id,
    name: id,
    isAlive: async () => 'dead',
  });
  const frozen = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  await frozen.plan(items, { ...options, owner: owner('frozen') }, signal);
  await frozen.begin(signal);
  await restore({ ...options, owner: owner('next') });
  await frozen[Symbol.asyncDispose]();
  assert.deepEqual(await root.db('codr_restore').listCollections({ name: 'woken' }).toArray(), []);
});
