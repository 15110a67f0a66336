// What may happen behind the first reply of a read. A server that stops answering: the read is given up after a
// minute and done again; the clock of these tests makes two seconds of that minute. A transaction that is
// undecided when its records are read.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
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

test('59: a transaction that is undecided when the copy reads its records is in from its commit time on', async () => {
  await fillMuch('n59c.a');
  const session = world.client.startSession();
  session.startTransaction();
  const held = world.client.db('n59c').collection<{ _id: number; held?: boolean }>('a');
  await held.updateOne({ _id: 5500 }, { $set: { held: true } }, { session });
  await held.deleteOne({ _id: 5600 }, { session });
  const admin = world.client.db('admin');
  const { prepareTimestamp: commitTimestamp } = await admin.command(
    { prepareTransaction: 1, writeConcern: { w: 'majority' } },
    { session },
  );
  const one = await world.protect('n59c');
  // What is read after this is read at a time at which the transaction will turn out to be committed.
  await held.updateOne({ _id: 1 }, { $set: { held: true } });
  let begun = false;
  const progress = ({ phase }: { phase: string }): void => {
    begun ||= phase === 'base copy';
  };
  await using node = await world.node();
  const request = { source: 'n59c', follow: false, rpoSeconds: 1 };
  const copying = node.backup(request, { ...call(), progress });
  const isCopied = async (): Promise<void> => {
    for (;;) {
      await sleep(50);
      const hasBegun = begun;
      await using other = await world.node();
      const { sources } = await other.status({}, call());
      const state = sources.find(({ name }) => name === 'n59c')?.state;
      if (hasBegun && state !== 'copying') return;
    }
  };
  await Promise.race([isCopied(), copying]);
  await admin.command({ commitTransaction: 1, commitTimestamp }, { session });
  await session.endSession();
  await copying;
  await one.assertEqualAt((await one.interval()).to);
  const restored = world.targetClient.db('n59c').collection<{ _id: number; held?: boolean }>('a');
  assert.equal((await restored.findOne({ _id: 5500 }))?.held, true);
  assert.equal(await restored.countDocuments(), 5999);
});
