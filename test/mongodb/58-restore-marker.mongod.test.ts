// What a restore may take for its own in the target: what an earlier run made and proved, and nothing else;
// one run at a time.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failPoint, formatTime, type Protected, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open({ target: { parameters: { enableTestCommands: 1 } } });
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** A source with a.a (two records) and a.b (one), backed up. */
async function protectedSource(name: string): Promise<{ source: Protected; at: string }> {
  const db = world.client.db(name);
  await db.collection<{ _id: number }>('a').insertMany([{ _id: 1 }, { _id: 2 }]);
  await db.collection<{ _id: number }>('b').insertOne({ _id: 1 });
  const source = await world.protect(name);
  await source.backup();
  return { source, at: formatTime((await source.interval()).to) };
}

/** A run that ends at its first insert into `namespace`, some time after it began that. */
async function failsAt(
  { source, at }: { source: Protected; at: string },
  namespace: string,
  verify = true,
): Promise<void> {
  const data = { errorCode: 8000, failCommands: ['insert'], namespace };
  const wait = { blockConnection: true, blockTimeMS: 1000 };
  await failPoint(world.targetClient, 'failCommand', 'alwaysOn', { ...data, ...wait });
  await assert.rejects(source.restoreAt(at, { drop: false, verify }));
  await failPoint(world.targetClient, 'failCommand', 'off');
}

test('a restore that resumes into a wiped target gives all back, and tells the roots', async () => {
  const one = await protectedSource('n58a');
  await failsAt(one, 'n58a.b');
  await world.targetClient.db('n58a').dropDatabase();
  const { datasets } = await one.source.restoreAt(one.at, { drop: false });
  assert.equal(await world.targetClient.db('n58a').collection('a').countDocuments(), 2);
  assert.deepEqual(
    datasets.map(({ to, records, proven, root }) => [to, records, proven, root !== '']),
    [
      ['n58a.a', 2, true, true],
      ['n58a.b', 1, true, true],
    ],
  );
});

test('a collection that was finished without proof is read back by a run that proves', async () => {
  const one = await protectedSource('n58b');
  await failsAt(one, 'n58b.b', false);
  const loaded = world.targetClient.db('n58b').collection<{ _id: number; v?: number }>('a');
  assert.equal(await loaded.countDocuments(), 2, 'the first run had finished it');
  await loaded.updateOne({ _id: 1 }, { $set: { v: 1 } });
  await assert.rejects(one.source.restoreAt(one.at, { drop: false }), { code: 'proof-failed' });
  await loaded.updateOne({ _id: 1 }, { $unset: { v: 1 } });
  const { datasets } = await one.source.restoreAt(one.at, { drop: false });
  assert.ok(datasets.every(({ proven, root }) => proven && root !== ''));
});

test('what another made under a name that an earlier run began is a conflict', async () => {
  const one = await protectedSource('n58c');
  await failsAt(one, 'n58c.a');
  await world.targetClient.db('n58c').dropDatabase();
  const theirs = world.targetClient.db('n58c').collection('a');
  await theirs.insertMany([{ mine: 1 }, { mine: 2 }]);
  await assert.rejects(one.source.restoreAt(one.at, { drop: false }), { code: 'target-not-empty' });
  assert.equal(await theirs.countDocuments({ mine: { $exists: true } }), 2);
});

test('the same restore twice at once: one of them is refused as busy', async () => {
  const one = await protectedSource('n58d');
  const data = { failCommands: ['insert'], namespace: 'n58d.a', errorCode: 8000 };
  const wait = { blockConnection: true, blockTimeMS: 3000 };
  // Blocks the load of one run for as long as the other needs to begin.
  await failPoint(world.targetClient, 'failCommand', { times: 1 }, { ...data, ...wait });
  const runs = [1, 2].map(() => one.source.restoreAt(one.at, { drop: false }));
  const ended = await Promise.allSettled(runs);
  await failPoint(world.targetClient, 'failCommand', 'off');
  const codes = ended.map((end) => (end.status === 'rejected' ? end.reason.code : 'done'));
  assert.ok(codes.includes('busy'), codes.join());
  await one.source.restoreAt(one.at, { drop: false }).catch((error: unknown) => {
    // The other run has finished: its collections are user data now.
    assert.equal((error as { code: string }).code, 'target-not-empty');
  });
  assert.equal(await world.targetClient.db('n58d').collection('a').countDocuments(), 2);
});
