import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Document, MongoClient } from 'mongodb';
import { connectorContext } from '../../../../test/harness/context.ts';
import { startReplicaSet } from '../../../../test/harness/mongod.ts';
import { wholeRange } from '../../../model/key-range.ts';
import type { SourceTime } from '../../../model/time.ts';
import type { ReplicaSet } from '../../../node/demo/mongod-server.ts';
import type { FollowOptions } from '../../follow-options.ts';
import { MongodbSession } from './mongodb-session.ts';

let set: ReplicaSet;
let session: MongodbSession;
let secondary: MongoClient;
const signal = new AbortController().signal;

before(async () => {
  set = await startReplicaSet({ members: 3, parameters: { enableTestCommands: 1 } });
  session = await MongodbSession.open(set.uri, connectorContext(), signal);
  for (const client of set.clients) {
    const hello: Document = await client.db('admin').command({ hello: 1 });
    if (hello.secondary) secondary = client;
  }
});
after(async () => {
  await session?.[Symbol.asyncDispose]();
  await set?.stop();
});

async function applying(mode: 'on' | 'off'): Promise<void> {
  const failPoint = { configureFailPoint: 'rsSyncApplyStop' };
  await secondary.db('admin').command({ ...failPoint, mode: mode === 'off' ? 'alwaysOn' : 'off' });
}

async function insert(v: number): Promise<void> {
  const client = await set.primaryClient();
  await client
    .db('app')
    .collection('a')
    .insertOne({ v }, { writeConcern: { w: 'majority' } });
}

/** Follows until `end`. */
async function followTo(options: FollowOptions, end: Promise<SourceTime>): Promise<void> {
  const [stream] = session.identity.streams;
  let known: SourceTime | undefined;
  void end.then((time) => {
    known = time;
  });
  for await (const { settled } of session.follow(stream as never, options, signal)) {
    if (known !== undefined && settled >= known) return;
  }
}

test('a secondary that stops applying delays neither reads nor following', {
  timeout: 60_000,
}, async () => {
  await insert(1);
  const { datasets, before: start } = await session.survey(signal);
  const entry = datasets.find((dataset) => dataset.entry.namespace === 'app.a')?.entry;
  assert.ok(entry);
  const [position] = [...start.values()];
  assert.ok(position);
  const options = { resume: position, through: position };
  const end = Promise.withResolvers<SourceTime>();
  // Equal members take turns: one of the two followers is on the member that stops.
  const followers = [followTo(options, end.promise), followTo(options, end.promise)];
  await applying('off');
  try {
    await insert(2);
    for (let i = 0; i < 4; i++) {
      const segment = await session.readSegment(entry, wholeRange, signal);
      let records = 0;
      for await (const batch of segment?.batches ?? []) records += batch.length;
      assert.equal(records, 2);
    }
    end.resolve(await session.watermark(signal));
    await Promise.all(followers);
  } finally {
    await applying('on');
  }
});
