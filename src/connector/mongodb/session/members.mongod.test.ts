import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Document, MongoClient } from 'mongodb';
import { connectorContext } from '../../../../test/harness/context.ts';
import { startReplicaSet } from '../../../../test/harness/mongod.ts';
import { onPrimary } from '../../../../test/mongodb/on-primary.ts';
import { wholeRange } from '../../../model/key-range.ts';
import type { ReplicaSet } from '../../../node/demo/mongod-server.ts';
import type { ChangeBatch } from '../../connector.ts';
import { MongodbSession } from './mongodb-session.ts';

let set: ReplicaSet;
let session: MongodbSession;
const signal = new AbortController().signal;

// Member 2 is an hour behind: what is read from it would be a state long gone.
before(async () => {
  const delayed = { priority: 0, hidden: true, votes: 0, secondaryDelaySecs: 3600 };
  set = await startReplicaSet({ members: 3, memberSettings: { 2: delayed } });
  session = await MongodbSession.open(set.uri, connectorContext(), signal);
});
after(async () => {
  await session?.[Symbol.asyncDispose]();
  await set?.stop();
});

/** Of this one collection: a member also reads the oplog of another, which it chooses. */
async function findsOn(index: number): Promise<number> {
  const { totals } = await (set.clients[index] as MongoClient).db('admin').command({ top: 1 });
  return Number((totals as Document)['app.a']?.queries.count ?? 0);
}

test('segments are read off a secondary, and never off a delayed member', async () => {
  const primary = await set.primaryClient();
  await primary
    .db('app')
    .collection('a')
    .insertMany(
      Array.from({ length: 300 }, (_, v) => ({ v })),
      { writeConcern: { w: 'majority' } },
    );
  const { datasets } = await session.survey(signal);
  const entry = datasets.find((dataset) => dataset.entry.namespace === 'app.a')?.entry;
  assert.ok(entry);
  const before = [await findsOn(1), await findsOn(2)] as const;
  for (let i = 0; i < 4; i++) {
    const segment = await session.readSegment(entry, wholeRange, signal);
    let records = 0;
    for await (const batch of segment?.batches ?? []) records += batch.length;
    assert.equal(records, 300);
  }
  assert.equal((await findsOn(1)) - before[0], 4);
  assert.equal((await findsOn(2)) - before[1], 0);
});

test('following goes on without loss or copy over a step-down, and over the death of a member', async () => {
  const { before: start } = await session.survey(signal);
  const [stream, position] = [...start][0] as [never, never];
  const seen: number[] = [];
  const write = async (v: number): Promise<void> => {
    await onPrimary(set, async (client) => {
      const followed = client.db('app').collection<Document>('followed');
      const once = { upsert: true, writeConcern: { w: 1 } };
      await followed.updateOne({ _id: v as never }, { $set: { v } }, once);
    });
  };
  const values = ({ changes }: ChangeBatch): number[] =>
    changes.map(({ value }) => Buffer.from(value).readInt32LE(value.length - 5));
  await write(1);
  let step = 1;
  for await (const batch of session.follow(
    stream,
    { resume: position, through: position, entries: [] },
    signal,
  )) {
    seen.push(...values(batch));
    if (step === 1 && seen.includes(1)) {
      step = 2;
      await set.stepDown();
      await write(2);
    } else if (step === 2 && seen.includes(2)) {
      step = 3;
      await set.kill(1);
      await set.restart(1);
      await write(3);
    } else if (seen.includes(3)) break;
  }
  assert.deepEqual(seen, [1, 2, 3]);
});
