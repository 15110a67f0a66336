// A server that stops answering in the middle of a collection: the read is given up after a minute and done
// again. The clock of these tests makes two seconds of that minute.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { MongoClient } from 'mongodb';
import type { Clock } from '../../src/base/clock.ts';
import { silentMsMax } from '../../src/connector/mongodb/session/raw-cursor.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { fill, rows } from './disturb.ts';
import { call, failPoint, World } from './world.ts';

/** How often a whole minute of silence was waited for. */
let silences = 0;
const hasty: Clock = {
  ...systemClock,
  async sleep(ms, signal) {
    await systemClock.sleep(ms === silentMsMax ? 2_000 : ms, signal);
    if (ms === silentMsMax) silences++;
  },
};

let world: World;
before(async () => {
  const target = { parameters: { enableTestCommands: 1 } };
  world = await World.open({ target, clock: hasty });
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** More than two replies long. */
async function fillMuch(namespace: string): Promise<void> {
  for (let n = 0; n < 6; n++) await fill(world.client, namespace, rows(1000, 2000, n * 1000));
}

/** One getMore of the collection is answered when nobody waits any more, and by an error. */
async function swallowOne(client: MongoClient, namespace: string): Promise<void> {
  const wait = { blockConnection: true, blockTimeMS: 10_000 };
  const data = { failCommands: ['getMore'], namespace, errorCode: 8000, ...wait };
  await failPoint(client, 'failCommand', { times: 1 }, data);
  silences = 0;
}

test('59: a base copy and a comparison go on when the source leaves a getMore unanswered', async () => {
  await fillMuch('n59a.a');
  const one = await world.protect('n59a');
  await swallowOne(world.client, 'n59a.a');
  await one.backup();
  assert.ok(silences > 0, 'the copy met the silence');
  await one.assertEqualAt((await one.interval()).to);
  await swallowOne(world.client, 'n59a.a');
  const node = await world.reader('n59a');
  const scope = { include: ['n59a.*'], exclude: [] };
  const { datasets } = await node.verify(
    { source: 'n59a', at: 'latest', ...scope, readData: true, against: world.source.uri },
    call(),
  );
  assert.ok(silences > 0, 'the comparison met the silence');
  assert.deepEqual(
    datasets.map(({ namespace, verdict }) => [namespace, verdict]),
    [['n59a.a', 'equal']],
  );
});

test('59: a proof reads on behind the last key when the target leaves a getMore unanswered', async () => {
  await fillMuch('n59b.a');
  const one = await world.protect('n59b');
  await one.backup();
  await swallowOne(world.targetClient, 'n59b.a');
  const { datasets } = await one.restoreAt('latest', { drop: false });
  assert.ok(silences > 0, 'the proof met the silence');
  assert.deepEqual(
    datasets.map(({ records, proven }) => [records, proven]),
    [[6000, true]],
  );
  const log = world.targetClient.db('local').collection('oplog.rs');
  const made = await log.countDocuments({ ns: 'n59b.$cmd', 'o.create': 'a' });
  assert.equal(made, 1, 'it was loaded once');
});
