// Numbers 20 to 23 of the acceptance list: the log rolls over, members go, writes are rolled back, snapshots
// grow too old. Each is met without silence and without loss.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Document, Double, type MongoClient, type Timestamp } from 'mongodb';
import { fill, rows, withSlowReads } from './disturb.ts';
import { onPrimary } from './on-primary.ts';
import { call, compareTimes, failPoint, formatTime, type Mark, World } from './world.ts';

test('20: a log that rolled over while codr was away is a hole that is told, closed by a new base copy', async () => {
  // The log is cut only up to the last checkpoint.
  const source = { oplogMiB: 32, flags: ['--syncdelay', '1'] };
  await using world = await World.open({ source });
  const { client } = world;
  await fill(client, 'n20.a', rows(500));
  const one = await world.protect('n20');
  await one.backup();
  const before = (await one.interval()).to;
  const kept = await one.mark();
  await fill(client, 'n20.a', rows(10, 20, 1000));
  await one.backup();
  const last = (await one.interval()).to;
  await client
    .db('n20')
    .collection('a')
    .deleteMany({ n: { $lt: 9 } });
  const lost = await world.now();
  await rollLogOver(client, lost);
  await fill(client, 'n20.a', rows(10, 20, 2000));
  await assertToldBefore(world, 'n20');
  const mark = await one.mark();
  const result = await one.backup();
  assert.equal(result.holes.length, 1);
  assert.equal(result.holes[0]?.from.time, formatTime(last));
  assert.ok(result.holes[0]?.to, 'the new base copy ends the hole');
  await using node = await world.node();
  const { intervals, holes } = await node.points({ source: 'n20' });
  assert.equal(intervals.length, 2);
  assert.equal(holes.length, 1);
  assert.deepEqual(holes[0]?.from, intervals[0]?.to);
  assert.deepEqual(holes[0]?.to, intervals[1]?.from, 'no moment belongs to neither');
  const time = String.raw`\d{10}:\d+ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)`;
  const wanted = `^the oplog of \\S+ does not hold ${time}: the next entry is of ${time}$`;
  assert.match(holes[0]!.reason, new RegExp(wanted));
  const [after] = (await node.status({}, call())).sources;
  assert.ok(after?.state === 'idle' && (after.headroomSeconds ?? -1) >= 0);
  await assert.rejects(one.restoreAt(lost), { code: 'time-not-restorable' });
  await one.assertEqualAt({ at: before, seen: kept.seen });
  // The mark lies before the new base copy; nothing was written since.
  await one.assertEqualAt({ at: (await one.interval()).to, seen: mark.seen });
});

/** What is lost is known before the next backup meets it. */
async function assertToldBefore(world: World, source: string): Promise<void> {
  await using node = await world.node();
  const [status] = (await node.status({}, call())).sources;
  assert.deepEqual([status?.state, status?.headroomSeconds], ['gap', 0]);
  const { findings } = await node.checkSource({ source }, call());
  const [log] = findings.filter(({ message }) => message.startsWith('the oplog spans'));
  assert.match(log?.message ?? '', /spans \d+ min, \d+ % of its maximum of 32 MiB/);
  assert.equal(log?.level, 'warning');
  assert.match(log?.remedy ?? '', /replSetResizeOplog: 1, size: Double\(990\)/);
  const remedy = {
    replSetResizeOplog: 1,
    size: new Double(990),
    minRetentionHours: new Double(24),
  };
  await world.client.db('admin').command(remedy);
  const { findings: mended } = await node.checkSource({ source }, call());
  assert.equal(mended.find(({ message }) => /^the oplog spans/.test(message))?.level, 'fine');
}

/** Writes no-ops until the oldest entry of the log is later than `at`. */
async function rollLogOver(client: MongoClient, at: Timestamp): Promise<void> {
  const data = { filling: 'x'.repeat(1 << 20) };
  const log = client.db('local').collection('oplog.rs');
  for (let written = 0; ; written++) {
    await client.db('admin').command({ appendOplogNote: 1, data });
    if (written % 8 !== 0) continue;
    const [oldest] = await log.find({}).project({ ts: 1 }).limit(1).toArray();
    if (compareTimes(oldest?.ts, at) > 0) return;
    assert.ok(written < 400, 'the log rolls over');
  }
}

test('21: a primary that steps down and a member that dies in the copy and after lose nothing', async () => {
  const three = { members: 3, cacheGiB: 0.25 };
  await using world = await World.open({ source: three, segmentBytes: 64 << 10 });
  await fill(world.client, 'n21.a', rows(3000, 150));
  const one = await world.protect('n21');
  const marks: Mark[] = [];
  const write = async (n: number): Promise<void> => {
    const options = { writeConcern: { w: 'majority' as const } };
    const upserts = rows(20, 30, 10_000 + n * 100).map((replacement) => ({
      replaceOne: { filter: { _id: replacement._id }, replacement, upsert: true },
    }));
    await onPrimary(world.source, async (client) => {
      const a = client.db('n21').collection('a');
      await a.bulkWrite(upserts, options);
      await a.updateMany({ n: n % 17 }, { $inc: { touched: 1 } }, options);
    });
  };
  await one.following(
    async () => {
      for (const member of world.source.clients) await slow(member, 'alwaysOn');
      await sleep(300);
      await world.source.stepDown();
      await write(1);
      const victim = (await world.source.primary()) === 2 ? 1 : 2;
      await world.source.kill(victim);
      await write(2);
      for (const member of world.source.clients) await slow(member, 'off').catch(() => {});
      await world.source.restart(victim);
      await one.covers(await world.now());
      await write(3);
      await world.source.stepDown();
      await write(4);
      marks.push(await one.mark());
      const killed = await world.source.primary();
      await world.source.kill(killed);
      await write(5);
      marks.push(await one.mark());
      await world.source.restart(killed);
      await write(6);
      marks.push(await one.mark());
    },
    { start: 'at once' },
  );
  for (const mark of marks) await one.assertEqualAt(mark);
});

async function slow(member: MongoClient, mode: 'alwaysOn' | 'off'): Promise<void> {
  const data = { failCommands: ['find', 'getMore'], blockConnection: true, blockTimeMS: 40 };
  await failPoint(member, 'failCommand', mode, mode === 'off' ? undefined : data);
}

test('22: writes that a majority never had and that are rolled back are never stored', async () => {
  await using world = await World.open({ source: { members: 3, cacheGiB: 0.25 } });
  await fill(world.client, 'n22.a', rows(200));
  const one = await world.protect('n22');
  const old = await world.source.primary();
  const others = world.source.clients.filter((_, i) => i !== old);
  const oldPrimary = world.source.clients[old] as MongoClient;
  let mark: Mark | undefined;
  await one.following(async () => {
    // The others stop fetching: what is written now stays with the old primary alone.
    for (const other of others) await failPoint(other, 'stopReplProducer', 'alwaysOn');
    const lone: Document = { writeConcern: { w: 1 } };
    await oldPrimary
      .db('n22')
      .collection('a')
      .insertMany(rows(50, 30, 5000), lone);
    await oldPrimary.db('n22').collection('a').deleteMany({ n: 3 }, lone);
    await oldPrimary.db('n22').collection('lone').insertOne({ lone: true }, lone);
    // Time for the follower to hear it, if it were to listen to what is not certain.
    await sleep(1500);
    await world.source.kill(old);
    for (const other of others) await failPoint(other, 'stopReplProducer', 'off');
    const client = await world.source.primaryClient();
    await client
      .db('n22')
      .collection('a')
      .insertMany(rows(10, 30, 7000));
    await world.source.restart(old);
    mark = await one.mark();
  });
  const state = oldPrimaryState(mark!);
  assert.equal(state.includes('n22.lone'), false);
  await one.assertEqualAt(mark!);
  const held = world.targetClient.db('n22').collection<Document & { _id: number }>('a');
  assert.equal(await held.countDocuments({ _id: { $gte: 5000, $lt: 6000 } }), 0);
});

const oldPrimaryState = (mark: Mark): string[] => [...mark.seen.keys()];

test('23: segments whose snapshot grows too old are read again, smaller, and the copy is exact', async () => {
  const parameters = { minSnapshotHistoryWindowInSeconds: 1 };
  await using world = await World.open({ source: { parameters }, segmentBytes: 4 << 20 });
  const { client } = world;
  // More than one reply holds, so that later ones come when the window has passed.
  for (let n = 0; n < 12; n++) await fill(client, 'n23.a', rows(1000, 3000, n * 1000));
  const one = await world.protect('n23');
  // This test lives from history that goes away.
  await failPoint(client, 'WTPreserveSnapshotHistoryIndefinitely', 'off');
  const failedBefore = await failedReads(client);
  const marks: Mark[] = [];
  await one.following(
    async () => {
      await withSlowReads(client, 1500, async () => {
        const a = client.db('n23').collection('a');
        const isRefused = async (): Promise<boolean> => (await failedReads(client)) > failedBefore;
        for (let n = 0; n < 40 || (n < 400 && !(await isRefused())); n++) {
          await a.updateMany({ _id: { $lt: 200 } as never, n: n % 17 }, { $set: { turn: n } });
          await sleep(150);
        }
      });
      await one.covers(await world.now());
      marks.push(await one.mark());
    },
    { start: 'at once' },
  );
  assert.ok((await failedReads(client)) > failedBefore, 'the server refused a read as too old');
  for (const mark of marks) await one.assertEqualAt(mark);
});

async function failedReads(client: MongoClient): Promise<number> {
  const { metrics } = await client.db('admin').command({ serverStatus: 1 });
  return Number(metrics.commands.getMore.failed) + Number(metrics.commands.find.failed);
}
