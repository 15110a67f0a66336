import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import type * as api from '../../api/codr-api.ts';
import { isCodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import { MemorySpill } from '../../base/spill.ts';
import { CutDatabase, cutConnector } from '../../engine/capture/cut-source.fixture.ts';
import { loadConfig } from '../config.ts';
import { NodeContext } from '../node-context.ts';
import { systemClock } from '../system-clock.ts';
import { systemRandom } from '../system-random.ts';
import { backup, points } from './history-calls.ts';
import { check } from './repository-calls.ts';
import { verify } from './restore-calls.ts';
import { addSource, limitSource, listSources, rebaseSource, removeSource } from './source-calls.ts';
import { status } from './status-call.ts';

const call = { signal: new AbortController().signal, progress: () => {} };
const world = {
  clock: systemClock,
  random: systemRandom,
  spill: new MemorySpill(),
  log: silentLogger,
};
let database: CutDatabase;

beforeEach(() => {
  database = new CutDatabase();
  database.create('shop.orders');
  database.write('shop.orders', 'k', 'v');
});

/** A node with one source of cuts, of which `cuts` were taken. */
async function open(t: { after(work: () => Promise<void>): void }, cuts: number) {
  const repo = await mkdtemp(join(tmpdir(), 'codr-source-'));
  const node = new NodeContext(loadConfig({ repo }, {}), world, {});
  t.after(async () => {
    await node[Symbol.asyncDispose]();
    await rm(repo, { recursive: true });
  });
  Object.assign(node, { connectors: [cutConnector(database)] });
  await node.create(false, call.signal);
  await addSource(node, { source: 'ring', uri: 'cuts://ring', include: [], exclude: [] }, call);
  for (let i = 0; i < cuts; i++) await cut(node);
  return node;
}

async function cut(node: NodeContext): Promise<api.BackupResult> {
  database.nowMs += 60_000;
  return await backup(node, { source: 'ring', follow: false }, call);
}

test('what a program asks for is held to what the command line takes', async (t) => {
  const node = await open(t, 0);
  const asked = { uri: 'cuts://ring', include: [], exclude: [] };
  const isUsage = (error: unknown): boolean => isCodrError(error, 'usage');
  for (const source of ['', 'a b', 'a"b', 'a\nb', '-a', 'x'.repeat(64)]) {
    await assert.rejects(addSource(node, { source, ...asked }, call), isUsage);
  }
  for (const rpoSeconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    const request = { source: 'ring', follow: true, rpoSeconds };
    await assert.rejects(backup(node, request, call), isUsage);
  }
  for (const readDataPercent of [-1, 101, Number.NaN]) {
    await assert.rejects(check(node, { readDataPercent, repair: false }, call), isUsage);
  }
});

test('who takes over the registration or removal of a source ends it, though it was done already', async (t) => {
  const node = await open(t, 0);
  const asked = { source: 'new', uri: 'cuts://ring', include: [], exclude: [] };
  const taken = () => {
    const words: unknown[] = [];
    const write = async (word: unknown): Promise<void> => void words.push(word);
    return { ...call, handover: { read: async () => words.at(-1), write } };
  };
  const adding = taken();
  const { source } = await addSource(node, asked, adding);
  assert.equal((await addSource(node, asked, adding)).source.id, source.id);
  const isTaken = (error: unknown): boolean => isCodrError(error, 'source-exists');
  await assert.rejects(addSource(node, asked, taken()), isTaken);
  assert.equal((await listSources(node)).sources.length, 2);
  const removing = taken();
  assert.deepEqual(await removeSource(node, { source: 'new' }, removing), {
    ...{ source: 'new', id: source.id, warnings: [] },
  });
  // Another one by that name stays.
  await addSource(node, asked, call);
  const { id, warnings } = await removeSource(node, { source: 'new' }, removing);
  assert.deepEqual([id, warnings.length], [source.id, 1]);
  assert.equal((await listSources(node)).sources.length, 2);
});

test('a removed source is released at the cluster', async (t) => {
  const node = await open(t, 1);
  const { warnings } = await removeSource(node, { source: 'ring' }, call);
  assert.deepEqual([warnings, database.calls.released], [[], 1]);
  assert.deepEqual((await listSources(node)).sources, []);
});

test('a source that does not answer goes all the same, and what was left is named', async (t) => {
  const node = await open(t, 1);
  database.isReachable = false;
  const { warnings } = await removeSource(node, { source: 'ring' }, call);
  assert.deepEqual(warnings, ['left at n1: nobody answers: switch it off']);
  assert.deepEqual((await listSources(node)).sources, []);
});

test('what was captured is there, and a source can go, without the password of the source', async (t) => {
  const node = await open(t, 1);
  const env: Record<string, string> = { PASSWORD_OF_RING: 'p' };
  Object.assign(node, { env });
  const uri = 'cuts://user@ring';
  const given = {
    source: 'locked',
    uri,
    passwordEnv: 'PASSWORD_OF_RING',
    include: [],
    exclude: [],
  };
  await addSource(node, given, call);
  await backup(node, { source: 'locked', follow: false }, call);
  delete env.PASSWORD_OF_RING;
  assert.equal((await points(node, { source: 'locked' })).points.length, 1);
  assert.equal((await status(node, call)).sources.length, 2);
  await assert.rejects(backup(node, { source: 'locked', follow: false }, call), {
    code: 'config-invalid',
    message: 'the environment has no PASSWORD_OF_RING',
  });
  const { warnings } = await removeSource(node, { source: 'locked' }, call);
  assert.match(warnings.join(), /^left at n1: the environment has no PASSWORD_OF_RING/);
});

test('a live cluster of cuts is not compared, and what compares it is named', async (t) => {
  const node = await open(t, 1);
  const wanted = { at: 'latest', include: [], exclude: [], readData: false };
  await assert.rejects(verify(node, { source: 'ring', ...wanted, against: 'cuts://ring' }, call), {
    code: 'usage',
    message: '--against means nothing for cuts',
  });
});

test('another cluster at the address is not touched', async (t) => {
  const node = await open(t, 1);
  database.identity = 'another';
  const { warnings } = await removeSource(node, { source: 'ring' }, call);
  assert.match(warnings.join(), /left at n1: another cluster answers, another: switch it off/);
  assert.equal(database.calls.released, 0);
});

test('a backup of cuts tells its point, its grade and why it is less sure', async (t) => {
  const node = await open(t, 1);
  database.grade = 'quorum-safe';
  const result = await cut(node);
  assert.deepEqual([result.point.id, result.grade, result.records], ['cut:2', 'quorum-safe', 0]);
  assert.deepEqual(result.interval.from, result.interval.to);
  database.grade = 'best-effort';
  await assert.rejects(cut(node), { code: 'partial' });
});

test('status has the cuts from the first to the last, and asks for no headroom', async (t) => {
  const node = await open(t, 3);
  const [source] = (await status(node, call)).sources;
  assert.deepEqual(
    [source?.state, source?.cuts, source?.headroomSeconds, source?.interval?.from.time],
    ['idle', 3, undefined, 'cut:1'],
  );
  assert.equal(source?.interval?.to.time, 'cut:3');
});

test('a rebased source keeps its cuts, and the next one goes on with their numbers', async (t) => {
  const node = await open(t, 2);
  database.identity = 'another';
  await assert.rejects(cut(node), { code: 'source-other-identity' });
  await rebaseSource(node, { source: 'ring' }, call);
  assert.equal((await points(node, { source: 'ring' })).intervals.length, 2);
  assert.equal((await cut(node)).point.id, 'cut:3');
  const { intervals, points: named } = await points(node, { source: 'ring' });
  assert.deepEqual([intervals.length, named.map(({ id }) => id)], [3, ['cut:1', 'cut:2', 'cut:3']]);
});

test('limits stay until they are changed or lifted one by one, also over a rebase', async (t) => {
  const node = await open(t, 1);
  const limits = async (): Promise<unknown> => {
    const [{ readers, bytesPerSecond } = {}] = (await listSources(node)).sources;
    return { readers, bytesPerSecond };
  };
  assert.deepEqual(await limits(), { readers: undefined, bytesPerSecond: undefined });
  await limitSource(node, { source: 'ring', readers: 3, bytesPerSecond: 1000 });
  await limitSource(node, { source: 'ring', readers: 2 });
  assert.deepEqual(await limits(), { readers: 2, bytesPerSecond: 1000 });
  const { context } = await node.source('ring');
  assert.deepEqual(context.limits, { readers: 2, bytesPerSecond: 1000 });
  await rebaseSource(node, { source: 'ring' }, call);
  const shown = await limitSource(node, { source: 'ring', bytesPerSecond: 0 });
  assert.deepEqual([shown.readers, 'bytesPerSecond' in shown], [2, false]);
  const wrong = { source: 'ring', readers: -1 };
  await assert.rejects(() => limitSource(node, wrong), { code: 'usage' });
  assert.deepEqual(await limits(), { readers: 2, bytesPerSecond: undefined });
});
