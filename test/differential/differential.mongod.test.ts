// The whole product against a real server: writers, transactions and a changing schema while `codr backup
// --follow` runs and is killed at random; then random times are restored and compared byte by byte.
//   CODR_SEED=7 repeats a run; CODR_DIFFERENTIAL_SECONDS=600 CODR_DIFFERENTIAL_TIMES=200 make it longer.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MongoClient } from 'mongodb';
import { SeededRandom } from '../../src/base/random.ts';
import type { ReplicaSet } from '../../src/node/demo/mongod-server.ts';
import { has } from '../harness/capability.ts';
import { startReplicaSet } from '../harness/mongod.ts';
import { testSeed } from '../harness/seed.ts';
import { CodrProgram } from '../mongodb/codr-program.ts';
import { assertSame, look } from '../mongodb/oracle.ts';
import { compareTimes, failPoint, formatTime, parseTime } from '../mongodb/world.ts';
import { type Observation, Observer } from './observer.ts';
import { SchemaChanger } from './schema-changer.ts';
import { Writer } from './workload.ts';

const seed = testSeed(5);
const busyMs = Number(process.env.CODR_DIFFERENTIAL_SECONDS ?? 20) * 1000;
const timesWanted = Number(process.env.CODR_DIFFERENTIAL_TIMES ?? 20);
const writerCount = 3;

let source: ReplicaSet;
let target: ReplicaSet;

before(async () => {
  source = await startReplicaSet({
    parameters: {
      enableTestCommands: 1,
      // Transactions of more than three operations become chains of entries.
      maxNumberOfTransactionOperationsInSingleOplogEntry: 3,
    },
  });
  target = await startReplicaSet();
  // Snapshot reads at any past time of the run.
  await failPoint(clientOf(source), 'WTPreserveSnapshotHistoryIndefinitely', 'alwaysOn');
});
after(async () => {
  await source?.stop();
  await target?.stop();
});

const clientOf = (set: ReplicaSet): MongoClient => set.clients[0] as MongoClient;

test(`every one of ${timesWanted} random times of a busy source is restored to the same bytes, though the backup was killed again and again`, async (t) => {
  t.diagnostic(`CODR_SEED=${seed}`);
  const random = new SeededRandom(seed);
  const client = clientOf(source);
  await using codr = await CodrProgram.create();
  await codr.run('source', 'add', 's', source.uri);
  const schema = new SchemaChanger(client, seed + 1, {
    clusters: await has(t, 'clustered collections'),
    images: await has(t, 'images of changes for change streams'),
  });
  const writers = Array.from({ length: writerCount }, (_, i) => new Writer(client, seed + 10 + i));
  const observer = new Observer(client, schema, new SeededRandom(seed + 2));
  const stop = new AbortController();
  const busy = Promise.all([
    ...[...writers, observer].map((one) => one.run(stop.signal)),
    schema.run(stop.signal, () => observer.looked()),
  ]);
  const [kills] = await Promise.all([
    followAndKill(codr, observer, random).finally(() => stop.abort()),
    busy.catch((error: unknown) => {
      stop.abort();
      throw error;
    }),
  ]);
  await codr.run('backup', 's');
  const { intervals, holes } = (await codr.run('points', 's')).json;
  assert.deepEqual(holes, []);
  assert.equal(intervals.length, 1);
  const from = parseTime(intervals[0].from.time);
  const chosen = choose(
    observer.observations.filter(({ at }) => compareTimes(at, from) >= 0),
    random,
  );
  t.diagnostic(
    `${kills} kills, ${sum(writers, 'writes')} writes, ${sum(writers, 'transactions')} transactions, ` +
      `${sum(writers, 'aborts')} aborted, ${observer.observations.length} times seen, ${observer.spoilt} spoilt, ` +
      `schema: ${JSON.stringify(Object.fromEntries(schema.done))}`,
  );
  assert.equal(chosen.length, timesWanted, 'enough times were seen');
  const wrong: unknown[] = [];
  for (const { at, seen } of chosen) {
    const when = formatTime(at);
    const run = await codr.tryRun('restore', 's', '--to', target.uri, '--at', when, '--drop');
    try {
      assert.equal(run.code, 0, `${when}: ${JSON.stringify(run.json)}`);
      assertSame(await look(clientOf(target)), seen, when);
    } catch (error) {
      wrong.push(error);
    }
  }
  assert.equal(wrong.length, 0, `CODR_SEED=${seed}: ${wrong.join('\n')}`);
});

/** Kills before one backup is left to end. */
const killsOfCopy = 3;

/**
 * Runs the backup, killed at random, until the source was busy for long enough and seen often enough, on a
 * slow machine as well. Returns how often it was killed.
 */
async function followAndKill(
  codr: CodrProgram,
  observer: Observer,
  random: SeededRandom,
): Promise<number> {
  const begin = performance.now();
  // What was seen before the first base copy was whole cannot be restored.
  let useless = Number.POSITIVE_INFINITY;
  const isLongEnough = (): boolean => {
    const ms = performance.now() - begin;
    const seen = observer.observations.length - useless;
    return ms > busyMs && (seen > 1.2 * timesWanted || ms > 8 * busyMs);
  };
  let kills = 0;
  while (!isLongEnough()) {
    // On a slow machine no copy ends between two kills: one run is let be, so that there is a log to kill in.
    if (kills === killsOfCopy) {
      await codr.run('backup', 's');
      useless = observer.observations.length;
    }
    const child = codr.start('backup', 's', '--follow', '--rpo', '1s');
    const outcome = await Promise.race([child.ended, sleep(300 + random.below(3500))]);
    assert.equal(outcome, undefined, `the backup ended by itself: ${JSON.stringify(outcome)}`);
    await child.kill();
    kills++;
  }
  return kills;
}

function choose(seen: readonly Observation[], random: SeededRandom): Observation[] {
  const left = [...seen];
  const chosen: Observation[] = [];
  while (left.length > 0 && chosen.length < timesWanted) {
    chosen.push(...left.splice(random.below(left.length), 1));
  }
  return chosen;
}

function sum<K extends string>(items: readonly Record<K, number>[], name: K): number {
  return items.reduce((total, item) => total + item[name], 0);
}
