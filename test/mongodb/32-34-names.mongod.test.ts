// Numbers 32, 33, 34 and 40 of the acceptance list: names that move while data is copied and followed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MongoClient } from 'mongodb';
import { fill, rename, rows, withSlowReads } from './disturb.ts';
import { compareTimes, type Mark, type Protected, World } from './world.ts';

let world: World;
let client: MongoClient;
before(async () => {
  world = await World.open({ segmentBytes: 64 << 10 });
  client = world.client;
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** Slow enough that the base copy of 300 KB outlasts the changes made beside it. */
const slowMs = 60;

/** Restores each mark that the history holds, and needs at least `least` of them. */
async function assertMarks(one: Protected, marks: readonly Mark[], least: number): Promise<void> {
  const { from } = await one.interval();
  const held = marks.filter(({ at }) => compareTimes(from, at) <= 0);
  assert.ok(held.length >= least, `${held.length} of ${marks.length} marks are restorable`);
  const include = ['n32*.*', 'n33.*', 'n34.*', 'n40*.*'].filter((pattern) =>
    pattern.startsWith(one.name.slice(0, 3)),
  );
  for (const mark of held) await one.assertEqualAt(mark, { include });
}

test('32: data follows its collection through renames during the copy and after, over others and in a ring', async () => {
  for (const name of ['a', 'b', 'c', 'over', 'gone']) {
    await fill(
      client,
      `n32.${name}`,
      rows(name === 'a' ? 2000 : 300, 120, name.charCodeAt(0) * 10_000),
    );
    await client
      .db('n32')
      .collection(name)
      .createIndex({ n: 1, [name]: 1 });
  }
  await fill(client, 'n32x.far', rows(200));
  const one = await world.protect('n32', { include: ['n32.*', 'n32x.*'] });
  const marks: Mark[] = [];
  const write = async (namespace: string, n: number): Promise<void> => {
    const [database = '', name = ''] = namespace.split('.');
    await client
      .db(database)
      .collection(name)
      .updateMany({ n: n % 17 }, { $set: { was: namespace, n: 5 } });
    await client
      .db(database)
      .collection(name)
      .deleteMany({ n: (n + 7) % 17 });
  };
  const ring = async (n: number): Promise<void> => {
    await rename(client, 'n32.a', 'n32.swap');
    await write('n32.swap', n);
    await rename(client, 'n32.b', 'n32.a');
    await rename(client, 'n32.c', 'n32.b');
    await rename(client, 'n32.swap', 'n32.c');
    for (const name of ['a', 'b', 'c']) await write(`n32.${name}`, n + 1);
  };
  await one.following(
    async () => {
      await withSlowReads(client, slowMs, async () => {
        await sleep(400);
        await ring(1);
        await rename(client, 'n32.over', 'n32.gone', true);
        await ring(2);
        await rename(client, 'n32x.far', 'n32.near');
        await write('n32.near', 3);
      });
      await one.covers(await world.now());
      for (let n = 4; n < 8; n++) {
        await ring(n);
        marks.push(await one.mark());
      }
      await rename(client, 'n32.c', 'n32.b', true);
      await fill(client, 'n32.c', rows(50, 30, 900_000));
      marks.push(await one.mark());
      await rename(client, 'n32.a', 'n32x.away');
      await write('n32x.away', 9);
      marks.push(await one.mark());
    },
    { start: 'at once' },
  );
  await assertMarks(one, marks, 6);
});

test('32: what is made and replaced by a rename before the next commit is there in between', async () => {
  await fill(client, 'n32s.a', rows(20));
  const one = await world.protect('n32s');
  const marks: Mark[] = [];
  await one.following(
    async () => {
      await fill(client, 'n32s.short', rows(30));
      marks.push(await one.mark());
      await rename(client, 'n32s.a', 'n32s.short', true);
      marks.push(await one.mark());
    },
    { rpoSeconds: 5 },
  );
  for (const mark of marks) await one.assertEqualAt(mark);
});

test('33: a name that is dropped and made again holds the old data before and only the new after', async () => {
  await fill(client, 'n33.a', rows(2500, 120));
  await fill(client, 'n33.b', rows(100));
  const one = await world.protect('n33');
  const marks: Mark[] = [];
  const again = async (n: number): Promise<void> => {
    await client.db('n33').collection('a').drop();
    await fill(client, 'n33.a', rows(10 + n, 40, n * 5));
    await client
      .db('n33')
      .collection('a')
      .createIndex({ text: 1 }, { sparse: n % 2 === 0 });
  };
  await one.following(
    async () => {
      await withSlowReads(client, slowMs, async () => {
        await sleep(400);
        for (let n = 0; n < 3; n++) await again(n);
      });
      await one.covers(await world.now());
      for (let n = 3; n < 6; n++) {
        await again(n);
        marks.push(await one.mark());
        await client.db('n33').collection('a').drop();
        marks.push(await one.mark());
      }
    },
    { start: 'at once' },
  );
  await assertMarks(one, marks, 6);
});

test('34: of a collection that $out replaces again and again the right generation comes back', async () => {
  await fill(client, 'n34.base', rows(1500, 120));
  await fill(client, 'n34.made', rows(5));
  await client.db('n34').collection('made').createIndex({ n: 1 }, { unique: false });
  const one = await world.protect('n34');
  const marks: Mark[] = [];
  const out = async (n: number): Promise<void> => {
    const pipeline = [{ $match: { n: { $lt: n } } }, { $set: { generation: n } }, { $out: 'made' }];
    await client.db('n34').collection('base').aggregate(pipeline).toArray();
  };
  await one.following(
    async () => {
      await withSlowReads(client, slowMs, async () => {
        for (let n = 1; n < 5; n++) await out(n);
      });
      await one.covers(await world.now());
      for (let n = 5; n < 10; n++) {
        await out(n);
        marks.push(await one.mark());
      }
    },
    { start: 'at once' },
  );
  await assertMarks(one, marks, 5);
});

test('40: a database that is dropped and made again during the copy is right at every moment', async () => {
  for (const name of ['a', 'b']) await fill(client, `n40.${name}`, rows(1500, 120));
  await fill(client, 'n40stays.c', rows(20));
  const one = await world.protect('n40', { include: ['n40.*', 'n40stays.*'] });
  const marks: Mark[] = [];
  const again = async (n: number): Promise<void> => {
    await client.db('n40').dropDatabase();
    for (const name of ['a', 'new']) await fill(client, `n40.${name}`, rows(20 + n, 40, n));
    await client.db('n40').createCollection('v', { viewOn: 'a', pipeline: [{ $match: { n } }] });
  };
  await one.following(
    async () => {
      await withSlowReads(client, slowMs, async () => {
        await sleep(400);
        await again(1);
        await again(2);
      });
      await one.covers(await world.now());
      for (let n = 3; n < 5; n++) {
        await again(n);
        marks.push(await one.mark());
      }
      await client.db('n40').dropDatabase();
      marks.push(await one.mark());
    },
    { start: 'at once' },
  );
  await assertMarks(one, marks, 3);
});
