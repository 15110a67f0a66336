// Numbers 52 to 57 of the acceptance list, with the program as its users run it: kills, damage, equal data,
// names, targets that are not empty, many collections and much data in little memory.
//   CODR_FULL=1 runs number 57 with 100,000 collections and 50 GiB; without it with 1,000 and 1 GiB.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Document } from 'mongodb';
import { SeededRandom } from '../../src/base/random.ts';
import { testSeed } from '../harness/seed.ts';
import { CodrProgram } from './codr-program.ts';
import { fill, rows } from './disturb.ts';
import { assertSame, type Chosen, look } from './oracle.ts';
import { World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

const seed = testSeed(52);
const isFull = process.env.CODR_FULL === '1';
const inDatabase =
  (name: string): Chosen =>
  (namespace) =>
    namespace.startsWith(`${name}.`);

/** Documents that neither compress nor repeat. */
function noise(count: number, bytes: number, from = 0): Document[] {
  return Array.from({ length: count }, (_, i) => ({ _id: from + i, noise: randomBytes(bytes) }));
}

async function protect(codr: CodrProgram, name: string): Promise<void> {
  await codr.run('source', 'add', name, world.source.uri, '--include', `${name}.*`);
}

async function assertRestored(name: string, what: string): Promise<void> {
  const chosen = inDatabase(name);
  assertSame(
    await look(world.targetClient, undefined, chosen),
    await look(world.client, undefined, chosen),
    what,
  );
}

test('52: killed at any point of copy, log and restore, the same command goes on, and nothing is there twice', async (t) => {
  t.diagnostic(`CODR_SEED=${seed}`);
  const random = new SeededRandom(seed);
  for (let n = 0; n < 24; n++) await fill(world.client, 'n52.big', noise(500, 3000, n * 500));
  for (let n = 0; n < 20; n++) await fill(world.client, `n52.small${n}`, rows(50));
  await world.client.db('n52').collection('big').createIndex({ noise: 1 });
  await using codr = await CodrProgram.create();
  await protect(codr, 'n52');
  const untilDone = async (mostMs: number, ...args: string[]): Promise<number> => {
    for (let kills = 0; ; kills++) {
      const child = codr.start(...args);
      // Longer each time, so that it ends on a slow machine too.
      const waitMs = 400 + random.below(mostMs + kills * 300);
      const end = await Promise.race([child.ended, sleep(waitMs, undefined, { ref: false })]);
      if (end) {
        assert.equal(end.code, 0, JSON.stringify(end.json) + end.stderr);
        return kills;
      }
      await child.kill();
      await afterKill(kills);
    }
  };
  let afterKill = async (kills: number): Promise<void> => {
    const big = world.client.db('n52').collection('big');
    await big.updateOne({ _id: kills as never }, { $set: { kills } });
  };
  const copying = await untilDone(1500, 'backup', 'n52');
  for (let n = 0; n < 3; n++) {
    const child = codr.start('backup', 'n52', '--follow', '--rpo', '1s');
    await fill(world.client, 'n52.small0', rows(20, 30, 1000 + n * 100));
    await sleep(500 + random.below(1500));
    await child.kill();
  }
  await codr.run('backup', 'n52');
  afterKill = async () => {}; // what is compared stays as it was backed up
  const restoring = await untilDone(2500, 'restore', 'n52', '--to', world.target.uri, '--drop');
  t.diagnostic(`${copying} kills of the copy, ${restoring} of the restore`);
  await assertRestored('n52', 'after the kills');
  const { databases } = await world.targetClient.db('admin').command({ listDatabases: 1 });
  const left = databases
    .map(({ name }: Document) => name)
    .filter((name: string) => /codr/.test(name));
  assert.deepEqual(left, [], 'nothing of the restore is left in the target');
  const { json } = await codr.run('check', '--read-data');
  assert.deepEqual(json.problems, []);
});

test('53: one changed byte of the repository is found and told, and no restore passes it over', async () => {
  await fill(world.client, 'n53.a', noise(400, 2000));
  await using codr = await CodrProgram.create();
  await protect(codr, 'n53');
  await codr.run('backup', 'n53');
  const [largest] = await filesBySize(codr.repository);
  assert.ok(largest && largest.size > 500_000, 'a pack of data');
  const bytes = await readFile(largest.path);
  const damaged = Buffer.from(bytes);
  damaged[Math.floor(bytes.length / 2)]! ^= 1;
  await writeFile(largest.path, damaged);
  const verified = await codr.tryRun('verify', 'n53', '--read-data');
  assert.notEqual(verified.code, 0);
  const [dataset] = verified.json.datasets.filter(
    ({ namespace }: Document) => namespace === 'n53.a',
  );
  assert.equal(dataset.verdict, 'damaged');
  assert.ok(dataset.detail, 'the damage is named');
  const restored = await codr.tryRun('restore', 'n53', '--to', world.target.uri);
  assert.equal(restored.code, 9, JSON.stringify(restored.json));
  assert.equal(restored.json.error.code, 'object-damaged');
  await writeFile(largest.path, bytes);
  assert.equal((await codr.tryRun('verify', 'n53', '--read-data')).code, 0);
});

for (const how of ['flipped', 'missing'] as const) {
  test(`53: what a ${how} pack held is given up by a repair, and stored anew by the next backup`, async () => {
    const name = `n53${how}`;
    await fill(world.client, `${name}.a`, noise(400, 2000));
    await fill(world.client, `${name}.b`, rows(50));
    await using codr = await CodrProgram.create();
    await protect(codr, name);
    await codr.run('backup', name);
    await fill(world.client, `${name}.a`, noise(10, 100, 1000));
    const { json: hurt } = await codr.run('backup', name);
    const [largest] = await filesBySize(codr.repository);
    assert.ok(largest && largest.size > 500_000, 'a pack of data');
    const damaged = await readFile(largest.path);
    damaged[Math.floor(damaged.length / 2)]! ^= 1;
    if (how === 'flipped') await writeFile(largest.path, damaged);
    else await rm(largest.path);
    const read = how === 'flipped' ? ['--read-data'] : [];
    const looked = await codr.tryRun('check', ...read);
    assert.deepEqual([looked.code, looked.json.givenUp], [9, []]);
    const repaired = await codr.tryRun('check', ...read, '--repair');
    assert.deepEqual([repaired.code, repaired.json.givenUp], [9, [name]]);
    assert.equal((await codr.run('check', ...read)).json.problems.length, 0);
    const restore = ['restore', name, '--to', world.target.uri, '--at'];
    assert.equal((await codr.tryRun(...restore, hurt.point.id)).code, 4);
    // Another source asks for the same content: it must not rely on what is lost.
    await codr.run('source', 'add', 'again', world.source.uri, '--include', `${name}.*`);
    await codr.run('backup', 'again');
    assert.equal((await codr.run('verify', 'again', '--read-data')).code, 0);
    const { json: anew } = await codr.run('backup', name);
    assert.ok(
      anew.holes.some(({ dataset }: Document) => dataset),
      'the hole is told',
    );
    await codr.run(...restore, anew.point.id);
    await assertRestored(name, 'what was stored anew');
  });
}

async function filesBySize(folder: string): Promise<{ path: string; size: number }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sized = await Promise.all(
    files.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name);
      return { path, size: (await stat(path)).size };
    }),
  );
  return sized.sort((a, b) => b.size - a.size);
}

test('54: data that is there already costs almost nothing the second time', async () => {
  for (let n = 0; n < 4; n++) await fill(world.client, 'n54.a', noise(1000, 1500, n * 1000));
  await using codr = await CodrProgram.create();
  await protect(codr, 'n54');
  const { json: first } = await codr.run('backup', 'n54');
  assert.ok(first.bytesStored > 5_000_000, `${first.bytesStored} bytes`);
  const include = ['--include', 'n54.*'];
  await codr.run('source', 'add', 'again', world.source.uri, ...include);
  const { json: second } = await codr.run('backup', 'again');
  assert.ok(second.bytesStored < first.bytesStored / 100, `${second.bytesStored} bytes`);
  assert.ok(second.bytesDeduplicated > 5_000_000, `${second.bytesDeduplicated} bytes`);
  const { json: third } = await codr.run('backup', 'again');
  assert.ok(third.bytesStored < 20_000, `${third.bytesStored} bytes`);
});

test('55: a part under another name is restored beside, and what was left out stays out', async () => {
  for (const name of ['a', 'b', 'c']) await fill(world.client, `n55.${name}`, rows(100));
  await world.client.db('n55').collection('a').createIndex({ n: 1 });
  await world.client.db('n55').createCollection('view', { viewOn: 'a', pipeline: [] });
  await using codr = await CodrProgram.create();
  await protect(codr, 'n55');
  await codr.run('backup', 'n55');
  const to = ['--to', world.target.uri];
  await codr.run('restore', 'n55', ...to, '--include', 'n55.a', '--rename', 'n55.a=n55x.was');
  await codr.run('restore', 'n55', ...to, '--exclude', 'n55.c', '--rename', 'n55.*=n55y.*');
  const names = async (name: string): Promise<string[]> =>
    (await world.targetClient.db(name).listCollections().toArray()).map((one) => one.name).sort();
  assert.deepEqual(await names('n55'), []);
  assert.deepEqual(await names('n55x'), ['was']);
  assert.deepEqual(await names('n55y'), ['a', 'b', 'system.views', 'view']);
  const twice = ['--rename', 'n55.a=n55z.same', '--rename', 'n55.b=n55z.same'];
  assert.equal((await codr.tryRun('restore', 'n55', ...to, ...twice)).code, 2);
  const unknown = await codr.tryRun('restore', 'n55', ...to, '--include', 'n55.nothing');
  assert.equal(unknown.json.error.code, 'namespace-unknown');
});

test('what a source leaves out is not stored, and is copied when a rename brings it in', async () => {
  await fill(world.client, 'scope.in', rows(50));
  await fill(world.client, 'scope.out', rows(50));
  await using codr = await CodrProgram.create();
  await codr.run('source', 'add', 'part', world.source.uri, '--include', 'scope.in*');
  await codr.run('backup', 'part');
  for (let n = 0; n < 4; n++)
    await fill(world.client, 'scope.out', noise(250, 4096, 1000 + 1000 * n));
  await fill(world.client, 'scope.in', rows(10, 20, 5000));
  const { json } = await codr.run('backup', 'part');
  assert.ok(json.bytesStored < 500_000, `${json.bytesStored} bytes`);
  await world.client.db('admin').command({ renameCollection: 'scope.out', to: 'scope.in2' });
  await fill(world.client, 'scope.in2', rows(20, 20, 9000));
  await codr.run('backup', 'part');
  await codr.run('restore', 'part', '--to', world.target.uri);
  await assertRestored('scope', 'brought in');
});

test('56: a target that holds data is refused untouched, unless --drop says otherwise', async () => {
  await fill(world.client, 'n56.a', rows(50));
  await fill(world.client, 'n56.b', rows(50));
  await using codr = await CodrProgram.create();
  await protect(codr, 'n56');
  await codr.run('backup', 'n56');
  await fill(world.targetClient, 'n56.b', rows(3, 20, 7000));
  await fill(world.targetClient, 'n56.other', rows(3));
  const seen = await look(world.targetClient, undefined, inDatabase('n56'));
  const to = ['restore', 'n56', '--to', world.target.uri];
  const refused = await codr.tryRun(...to);
  assert.equal(refused.code, 5);
  assert.equal(refused.json.error.object, 'n56.b');
  const plan = await codr.tryRun(...to, '--dry-run');
  assert.deepEqual([plan.code, plan.json.conflicts], [5, ['n56.b']]);
  assertSame(await look(world.targetClient, undefined, inDatabase('n56')), seen, 'untouched');
  await codr.run(...to, '--include', 'n56.a');
  assert.equal(await world.targetClient.db('n56').collection('b').countDocuments(), 3);
  const scope = ['--include', 'n56.*'];
  const dropping = await codr.run(...to, ...scope, '--drop', '--dry-run');
  assert.deepEqual(dropping.json.dropped.toSorted(), ['n56.a', 'n56.b', 'n56.other']);
  await codr.run(...to, ...scope, '--drop');
  await assertRestored('n56', 'dropped');
});

test('57: many collections and much data pass through bounded memory', async (t) => {
  const collections = isFull ? 100_000 : 1000;
  const mebibytes = isFull ? 50 * 1024 : 1024;
  const db = world.client.db('n57');
  for (let n = 0; n < collections; n += 10) {
    const some = Array.from({ length: 10 }, (_, i) => `c${n + i}`);
    await Promise.all(some.map((name) => db.collection(name).insertMany(rows(2))));
  }
  for (let n = 0; n < mebibytes; n += 4)
    await fill(world.client, 'n57.big', noise(1024, 4096, n * 256));
  await using codr = await CodrProgram.create();
  await protect(codr, 'n57');
  const begin = performance.now();
  const backup = await codr.run('backup', 'n57');
  const restore = await codr.run('restore', 'n57', '--to', world.target.uri);
  const peaks = [backup, restore].map(({ peakBytes }) => Math.round(peakBytes / 2 ** 20));
  t.diagnostic(
    `${collections} collections and ${mebibytes} MiB: peak of ${peaks[0]} MiB in the backup, ` +
      `${peaks[1]} MiB in the restore, ${Math.round((performance.now() - begin) / 1000)} s`,
  );
  assert.ok(
    peaks.every((peak) => peak < 1024),
    `${peaks.join(' and ')} MiB`,
  );
  assert.equal(restore.json.datasets.length, collections + 1);
  assert.ok(restore.json.datasets.every(({ proven }: Document) => proven));
  const listed = await world.targetClient.db('n57').listCollections().toArray();
  assert.equal(listed.length, collections + 1);
});
