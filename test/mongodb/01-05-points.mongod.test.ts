// Numbers 1 to 5 of the acceptance list: every moment of a history that was written while it was copied.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Document, type MongoClient, Timestamp } from 'mongodb';
import { assertSame, look } from './oracle.ts';
import { chance, compareTimes, formatTime, timed, World } from './world.ts';

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
    async (state) => {
      const write = async (): Promise<unknown> =>
        times.push(await writeSome(client, 'one', random));
      while (!state.isProtected) await write();
      for (let i = 0; i < 1000; i++) await write();
    },
    { start: 'at once' },
  );
  const { from, to } = await one.interval();
  const within = times.filter((at) => compareTimes(from, at) <= 0 && compareTimes(at, to) <= 0);
  assert.ok(within.length > 300, `${within.length} of ${times.length} writes lie in the interval`);
  for (let i = 0; i < 50; i++) await one.assertEqualAt(within[random.below(within.length)]!);
});

test('2: a moment within a second, an exact one and a whole second hold what was written up to them', async () => {
  const { client } = world;
  const two = await world.protect('two');
  await client.db('two').collection<Row>('a').insertOne({ _id: 0 });
  const times: Timestamp[] = [];
  const increment = { update: 'a', updates: [{ q: { _id: 0 }, u: { $inc: { n: 1 } } }] };
  const inOneSecond = (): Timestamp[] => {
    const second = times.at(-1)?.getHighBitsUnsigned();
    return times.filter((at) => at.getHighBitsUnsigned() === second);
  };
  await two.following(async () => {
    while (inOneSecond().length < 20) times.push(await timed(client, 'two', increment));
    // The second has to be over before it can be named as a whole.
    const second = times.at(-1)!.getHighBitsUnsigned();
    while (times.at(-1)!.getHighBitsUnsigned() === second) {
      times.push(await timed(client, 'two', increment));
    }
  });
  const last = times.pop()!;
  const [first, next, later] = inOneSecond() as [Timestamp, Timestamp, Timestamp];
  for (const at of [first, next, later]) await two.assertEqualAt(at);
  const second = first.getHighBitsUnsigned();
  const wall = new Date(second * 1000).toISOString().replace('.000Z', 'Z');
  const result = await two.restoreAt(wall);
  assert.match(result.at.time, new RegExp(`^${second}:`));
  const restored = await world.targetClient.db('two').collection('a').findOne();
  assert.equal(restored?.n, times.length);
  const endOfSecond = new Timestamp({ t: second, i: 2 ** 32 - 1 });
  const expected = await look(client, endOfSecond, two.holds);
  assertSame(await look(world.targetClient, undefined, two.holds), expected, wall);
  await two.assertEqualAt(last);
  // Within the next second, of which nothing may come back.
  const within = new Date(second * 1000 + 1500).toISOString();
  assert.match((await two.restoreAt(within)).at.time, new RegExp(`^${second}:`));
  const then = await world.targetClient.db('two').collection('a').findOne();
  assert.equal(then?.n, times.length);
});

test('3: a moment before or after the history is refused, and the nearest ones are named', async () => {
  const { client } = world;
  const old = await world.now();
  await client.db('three').collection('a').insertOne({ x: 1 });
  const three = await world.protect('three');
  await three.backup();
  await client.db('three').collection('a').insertOne({ x: 2 });
  await three.backup();
  const { from, to } = await three.interval();
  await client.db('three').collection('a').insertOne({ x: 3 });
  const before = await look(world.targetClient, undefined, three.holds);
  const nearest = (side: string, at: Timestamp): RegExp =>
    new RegExp(`^the nearest ${side} is (\\S+ \\()?${formatTime(at)}\\)?$`);
  await assert.rejects(three.restoreAt(old), {
    code: 'time-not-restorable',
    remedy: nearest('after', from),
  });
  const justBefore = new Timestamp(from.subtract(1).toBigInt());
  await assert.rejects(three.restoreAt(justBefore), { code: 'time-not-restorable' });
  const late = await world.now();
  await assert.rejects(three.restoreAt(late), {
    code: 'time-not-restorable',
    remedy: nearest('before', to),
  });
  assertSame(await look(world.targetClient, undefined, three.holds), before, 'after refusals');
  await three.assertEqualAt(from);
  await three.assertEqualAt(to);
});

test('4: a record that is deleted and inserted again while it is copied has its last image', async () => {
  const { client } = world;
  const rows = Array.from({ length: 2000 }, (_, i): Row => ({ _id: i, pad: 'x'.repeat(300) }));
  await client.db('four').collection<Row>('a').insertMany(rows);
  const four = await world.protect('four');
  const random = chance(4);
  const times: Timestamp[] = [];
  await four.following(
    async (state) => {
      for (let left = 200; left > 0; left -= state.isProtected ? 1 : 0) {
        const _id = random.below(2000);
        times.push(
          await timed(client, 'four', { delete: 'a', deletes: [{ q: { _id }, limit: 1 }] }),
        );
        const documents = [{ _id, again: times.length }];
        times.push(await timed(client, 'four', { insert: 'a', documents }));
      }
    },
    { start: 'at once' },
  );
  const { from } = await four.interval();
  assert.ok(compareTimes(times[0]!, from) < 0, 'writing began while the copy was made');
  const within = times.filter((at) => compareTimes(from, at) <= 0);
  await four.assertEqualAt(from);
  for (let i = 0; i < 4; i++) await four.assertEqualAt(within[random.below(within.length)]!);
  await four.assertEqualAt(times.at(-1)!);
});

test('5: no update is applied twice, whether its record was copied before or after it', async () => {
  const { client } = world;
  const rows = Array.from(
    { length: 2000 },
    (_, i): Row => ({ _id: i, list: [], pad: 'x'.repeat(300) }),
  );
  await client.db('five').collection<Row>('a').insertMany(rows);
  const five = await world.protect('five');
  const random = chance(5);
  const times: Timestamp[] = [];
  const counts = new Map<number, number>();
  await five.following(
    async (state) => {
      for (let left = 200; left > 0; left -= state.isProtected ? 1 : 0) {
        const _id = random.below(200) * 10;
        const n = counts.get(_id) ?? 0;
        counts.set(_id, n + 1);
        const u = { $push: { list: n }, $inc: { count: 1 } };
        times.push(await timed(client, 'five', { update: 'a', updates: [{ q: { _id }, u }] }));
      }
    },
    { start: 'at once' },
  );
  const { from } = await five.interval();
  assert.ok(compareTimes(times[0]!, from) < 0, 'writing began while the copy was made');
  const within = times.filter((at) => compareTimes(from, at) <= 0);
  await five.assertEqualAt(from);
  for (let i = 0; i < 4; i++) await five.assertEqualAt(within[random.below(within.length)]!);
  await five.assertEqualAt(times.at(-1)!);
  for await (const { _id, list } of world.targetClient.db('five').collection<Row>('a').find()) {
    assert.deepEqual(list, [...Array(counts.get(_id) ?? 0).keys()]);
  }
});
