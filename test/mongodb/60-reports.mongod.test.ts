// What CODR says about a source in numbers (lag, counts, bytes, headroom) is held against the server and the
// folder.
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Call,
  Progress,
  RestoreRequest,
  SourceStatus,
  VerifyRequest,
} from '../../src/api/codr-api.ts';
import type { EmbeddedNode } from '../../src/node/embedded-node.ts';
import { CodrProgram } from './codr-program.ts';
import { fill, rename, rows } from './disturb.ts';
import { call, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

test('the recovery point objective holds on a source to which nobody writes', async () => {
  await fill(world.client, 'n60a.a', rows(10));
  const one = await world.protect('n60a');
  const lags: number[] = [];
  await one.following(
    async () => {
      await using node = await world.node();
      await sleep(1500);
      // The server's own no-ops come every 10 s: too seldom for this.
      for (let i = 0; i < 12; i++) {
        await sleep(500);
        const { intervals } = await node.points({ source: 'n60a' });
        lags.push(Date.now() - Date.parse(intervals.at(-1)?.to.wall ?? ''));
      }
    },
    { rpoSeconds: 1 },
  );
  // Times of the log are whole seconds, so up to one of them is no lag at all.
  assert.ok(Math.max(...lags) < 3500, `lags of ${lags.join(', ')} ms`);
});

test('counts are exact where nothing has changed since the base copy, and marked elsewhere', async () => {
  const { client } = world;
  await fill(client, 'n60b.still', rows(7));
  await fill(client, 'n60b.grown', rows(1));
  const one = await world.protect('n60b');
  await one.backup();
  await using node = await world.node();
  const listed = await node.listDatasets({ source: 'n60b', at: 'latest' });
  assert.deepEqual(countsOf(listed), [
    ['n60b.grown', 1, undefined],
    ['n60b.still', 7, undefined],
  ]);
  const first = (await node.points({ source: 'n60b' })).points;
  assert.deepEqual(first[0], { ...first[0], datasets: 2, records: 8 });
  assert.equal(first[0]?.estimated, undefined);

  await fill(client, 'n60b.grown', rows(8, 20, 100));
  await fill(client, 'n60b.born', rows(3));
  await client.db('n60b').createCollection('empty');
  await one.backup();
  const estimates = [
    ['n60b.born', 0, true],
    ['n60b.empty', 0, undefined],
    ['n60b.grown', 1, true],
    ['n60b.still', 7, undefined],
  ];
  await using later = await world.node();
  assert.deepEqual(countsOf(await later.listDatasets({ source: 'n60b', at: 'latest' })), estimates);
  assert.equal((await later.points({ source: 'n60b' })).points.at(-1)?.estimated, true);
  const whole = await later.verify(verifyOf('n60b'), call());
  assert.deepEqual(countsOf(whole), estimates);
  const plan = await later.planRestore(restoreOf(world, 'n60b'), call());
  const planned = plan.datasets.map(({ from, ...rest }) => ({ namespace: from, ...rest }));
  assert.deepEqual(countsOf({ datasets: planned }), estimates);
});

test('progress promises a total only when it is known; what is compared is read on both sides', async () => {
  const { client } = world;
  await fill(client, 'n60c.a', rows(106));
  const one = await world.protect('n60c');
  await one.backup();
  const totals = async (
    work: (call: Call) => Promise<unknown>,
    phase: string,
  ): Promise<unknown> => {
    const reports: Progress[] = [];
    await work({ ...call(), progress: (report) => reports.push(report) });
    const of = reports.filter((report) => report.phase === phase).at(-1);
    return of && [of.recordsTotal, of.bytesTotal !== undefined];
  };
  await using node = await world.node();
  const restoring = (one: EmbeddedNode) => (call: Call) =>
    one.restore(restoreOf(world, 'n60c'), call);
  const comparing = (one: EmbeddedNode) => (call: Call) =>
    one.verify({ ...verifyOf('n60c'), against: world.source.uri }, call);
  assert.deepEqual(await totals(restoring(node), 'loading and proving'), [106, true]);
  assert.deepEqual(await totals(comparing(node), 'comparing'), [212, true]);
  await fill(client, 'n60c.a', rows(894, 20, 1000));
  await one.backup();
  await using later = await world.node();
  assert.deepEqual(await totals(restoring(later), 'loading and proving'), [undefined, false]);
  assert.deepEqual(await totals(comparing(later), 'comparing'), [undefined, false]);
});

test('the bytes that a backup says it stored are those by which the folder has grown', async () => {
  const { client } = world;
  await fill(client, 'n60d.a', rows(500));
  await using codr = await CodrProgram.create();
  await codr.run('source', 'add', 'n60d', world.source.uri, '--include', 'n60d.*');
  let before = await folderBytes(codr.repository);
  const grown = async (): Promise<number> => {
    const [now, then] = [await folderBytes(codr.repository), before];
    before = now;
    return now - then;
  };
  const { json: first } = await codr.run('backup', 'n60d');
  assert.equal(first.bytesStored, await grown());
  const child = codr.start('backup', 'n60d', '--follow', '--rpo', '1s');
  await child.told('"following"');
  for (let n = 1; n <= 10; n++) {
    await fill(client, 'n60d.a', rows(200, 100, n * 1000));
    await sleep(300);
  }
  const { json: second, stderr } = await child.interrupt();
  assert.equal(second.bytesStored, await grown());
  assert.ok(second.changes >= 2000 && second.bytesStored < second.bytesRead);
  const told = [...stderr.matchAll(/"bytesStored":(\d+)/g)].map(([, bytes]) => Number(bytes));
  assert.ok(told.length > 2 && (told.at(-1) as number) <= second.bytesStored);
  const { json: status } = await codr.run('status');
  assert.equal(status.repository.packBytes, await folderBytes(join(codr.repository, 'packs')));
});

test('a hole of one collection is told by its name, not by its id', async () => {
  const { client } = world;
  await fill(client, 'n60e.kept', rows(5));
  await fill(client, 'n60e.out', rows(5));
  const one = await world.protect('n60e', { include: ['n60e.kept', 'n60e.in'] });
  await one.backup();
  await rename(client, 'n60e.out', 'n60e.in');
  const { holes } = await one.backup();
  assert.deepEqual(
    holes.map(({ dataset }) => dataset),
    ['n60e.in'],
  );
  await using node = await world.node();
  const told = await node.points({ source: 'n60e' });
  assert.deepEqual(told.holes, holes);
  assert.deepEqual(
    told.intervals.map(({ from }) => from).slice(1),
    holes.map(({ to }) => to),
  );
});

test('lag and headroom are those of the server: of a new source, of one left alone, of one backed up again', async () => {
  const { client } = world;
  const one = await world.protect('n60f');
  const status = async (): Promise<SourceStatus | undefined> => {
    await using node = await world.node();
    return (await node.status({}, call())).sources.find(({ name }) => name === 'n60f');
  };
  assert.deepEqual(await status(), { name: 'n60f', state: 'new', holes: [] });
  await using node = await world.node();
  assert.deepEqual(await node.points({ source: 'n60f' }), {
    source: 'n60f',
    intervals: [],
    holes: [],
    points: [],
  });

  const { point, datasets } = await one.backup();
  assert.equal(datasets, 0, 'an empty source is backed up too');
  const [oldest] = await client.db('local').collection('oplog.rs').find().limit(1).toArray();
  const held = async (): Promise<void> => {
    const { to } = await one.interval();
    const age = (): number => Date.now() / 1000 - to.getHighBits();
    const least = age();
    const now = await status();
    const lag = now?.lagSeconds ?? -1;
    assert.ok(lag >= least - 1 && lag <= age() + 1, `${lag} s, and ${least} s are true`);
    assert.equal(now?.headroomSeconds, to.getHighBits() - oldest?.ts.getHighBits());
  };
  const named = await status();
  assert.equal(named?.interval?.to.time, point.time);
  await held();
  await sleep(3000);
  await held();
  await fill(client, 'n60f.a', rows(100));
  await one.backup();
  await held();
  assert.equal((await status())?.state, 'idle');
});

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = files.map(async (file) => (await stat(join(file.parentPath, file.name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

function countsOf(of: {
  readonly datasets: readonly {
    readonly namespace: string;
    readonly records: number;
    readonly estimated?: boolean;
  }[];
}): unknown[] {
  return of.datasets
    .filter(({ namespace }) => /^n60/.test(namespace))
    .map(({ namespace, records, estimated }) => [namespace, records, estimated])
    .sort();
}

function verifyOf(source: string): VerifyRequest {
  return { source, at: 'latest', include: [`${source}.*`], exclude: [], readData: false };
}

function restoreOf({ target }: World, source: string): RestoreRequest {
  const scope = { include: [`${source}.*`], exclude: [], renames: [] };
  return { source, to: target.uri, at: 'latest', ...scope, drop: true, ttl: 'keep', verify: true };
}
