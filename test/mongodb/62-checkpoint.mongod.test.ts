// Checkpoints of a source with a log: base copies that are folded of older ones and the log after them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Document } from 'mongodb';
import type { CheckpointResult } from '../../src/api/codr-api.ts';
import { call, formatTime, type Mark, type Protected, World } from './world.ts';

type Row = Document & { readonly _id: number };

let world: World;
before(async () => {
  world = await World.open();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

async function checkpoint({ name }: Protected, to = 'latest'): Promise<CheckpointResult> {
  await using node = await world.node();
  return await node.checkpoint({ source: name, to }, call());
}

/** Updates that need what was there, deletes, a collection that comes and one that goes. */
async function change(database: string, round: number): Promise<void> {
  const db = world.client.db(database);
  const a = db.collection<Row>('a');
  for (let i = 0; i < 100; i++) {
    await a.updateOne(
      { _id: (i * 7) % 300 },
      { $inc: { n: 1 }, $push: { rounds: round } as never },
    );
  }
  await a.deleteMany({ _id: { $gte: 10 * round, $lt: 10 * round + 5 } });
  await db.collection<Row>(`only${round}`).insertOne({ _id: round });
  if (round > 0) await db.collection(`only${round - 1}`).drop();
}

test('after a checkpoint every moment is given back as before, also those after it and before it', async () => {
  const db = world.client.db('fold');
  await db
    .collection<Row>('a')
    .insertMany(Array.from({ length: 300 }, (_, i) => ({ _id: i, n: 0 })));
  await db.collection<Row>('still').insertOne({ _id: 1 });
  await db.createCollection('view', { viewOn: 'a', pipeline: [{ $match: { n: 0 } }] });
  const fold = await world.protect('fold');
  await fold.backup();
  const marks: Mark[] = [];
  for (let round = 0; round < 3; round++) {
    await change('fold', round);
    marks.push(await fold.mark());
    await fold.backup();
  }
  const done = await checkpoint(fold);
  const names = done.datasets.map(({ namespace }) => namespace);
  assert.ok(names.includes('fold.a') && !names.includes('fold.still'), String(names));
  assert.deepEqual((await checkpoint(fold)).datasets, [], 'what is done is not done again');
  await change('fold', 3);
  marks.push(await fold.mark());
  await fold.backup();
  for (const mark of marks) await fold.assertEqualAt(mark);
  await using node = await world.node();
  const parts = { include: [], exclude: [], readData: true };
  const whole = await node.verify({ source: 'fold', at: 'latest', ...parts }, call());
  assert.ok(whole.datasets.every(({ verdict }) => verdict === 'whole'));
  const against = { ...parts, against: world.source.uri };
  const same = await node.verify({ source: 'fold', at: 'latest', ...against }, call());
  assert.ok(
    same.datasets.every(({ verdict }) => verdict === 'equal'),
    JSON.stringify(same),
  );
});

test('a checkpoint of an earlier moment is folded on from, and a history goes back before it', async () => {
  const db = world.client.db('early');
  await db.collection<Row>('a').insertOne({ _id: 5, v: 0 } as Row);
  const early = await world.protect('early');
  await early.backup();
  const marks: Mark[] = [];
  for (let v = 1; v <= 3; v++) {
    await db.collection<Row>('a').updateOne({ _id: 5 }, { $set: { v } });
    marks.push(await early.mark());
  }
  await early.backup();
  const middle = formatTime((marks[1] as Mark).at);
  const { at, datasets } = await checkpoint(early, middle);
  assert.deepEqual([at.time, datasets.map(({ records }) => records)], [middle, [1]]);
  for (const mark of marks) await early.assertEqualAt(mark);
  await using node = await world.node();
  const wanted = { source: 'early', namespace: 'early.a', key: '5', at: 'latest', history: true };
  const { history = [] } = await node.getRecord(wanted);
  assert.deepEqual(
    history.map(({ change: kind, value }) => [kind, JSON.parse(value ?? '{}').v]),
    [
      ['base', { $numberInt: '0' }],
      ['patch', { $numberInt: '1' }],
      ['patch', { $numberInt: '2' }],
      ['patch', { $numberInt: '3' }],
    ],
  );
});
