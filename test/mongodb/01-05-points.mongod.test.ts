// Numbers 1 to 5 of the acceptance list: every moment of a history that was written while it was copied.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Document, MongoClient, Timestamp } from 'mongodb';
import { chance, compareTimes, timed, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open({ segmentBytes: 64 << 10 });
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

interface Row extends Document {
  readonly _id: number;
}

/** One random write among `_id` 0 to 3999; its time in the log. */
async function writeSome(
  client: MongoClient,
  name: string,
  random: ReturnType<typeof chance>,
): Promise<Timestamp> {
  const _id = random.below(4000);
  const q = { _id };
  const x = random.below(1_000_000);
  switch (random.below(6)) {
    case 0:
      return await timed(client, name, { delete: 'a', deletes: [{ q, limit: 1 }] });
    case 1:
      return await timed(client, name, {
        update: 'a',
        updates: [{ q, u: { _id, replaced: x, pad: 'p'.repeat(random.below(400)) }, upsert: true }],
      });
    case 2:
      return await timed(client, name, {
        update: 'a',
        updates: [{ q, u: { $push: { list: x }, $inc: { n: 1 } }, upsert: true }],
      });
    case 3:
      return await timed(client, name, {
        update: 'a',
        updates: [{ q, u: { $set: { [`f${x % 5}`]: x }, $unset: { [`f${(x + 1) % 5}`]: 1 } } }],
      });
    case 4:
      return await timed(client, name, {
        insert: 'b',
        documents: [{ at: _id }],
        ordered: false,
      });
    default:
      return await timed(client, name, {
        update: 'b',
        updates: [
          { q: { at: { $gt: _id, $lt: _id + 100 } }, u: { $inc: { seen: 1 } }, multi: true },
        ],
      });
  }
}

test('1: every one of 50 random moments is restored as the source was, written to all the while', async () => {
  const client = world.client;
  const random = chance(1);
  const rows: Row[] = Array.from({ length: 3000 }, (_, i) => ({
    _id: i,
    name: `name ${i}`,
    pad: 'x'.repeat(random.below(300)),
  }));
  await client.db('one').collection<Row>('a').insertMany(rows);
  await client
    .db('one')
    .collection<Row>('b')
    .insertMany([{ _id: -1 }]);
  await client.db('one').collection('b').createIndex({ seen: 1 });
  const one = await world.protect('one');
  const times: Timestamp[] = [];
  await one.following(
    async () => {
      const begin = performance.now();
      // Writing goes on for a second after the base copy has ended.
      while (times.length < 1500 || performance.now() - begin < 3000) {
        times.push(await writeSome(client, 'one', random));
      }
    },
    { start: 'at once' },
  );
  const { from, to } = await one.interval();
  const within = times.filter((at) => compareTimes(from, at) <= 0 && compareTimes(at, to) <= 0);
  assert.ok(within.length > 300, `${within.length} of ${times.length} writes lie in the interval`);
  for (let i = 0; i < 50; i++) await one.assertEqualAt(within[random.below(within.length)]!);
});
