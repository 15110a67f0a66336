import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isCodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import { MemorySpill } from '../../base/spill.ts';
import { CutDatabase, cutConnector } from '../../engine/capture/cut-source.fixture.ts';
import { storeError } from '../../storage/local/file-system.ts';
import { loadConfig } from '../config.ts';
import { EmbeddedNode } from '../embedded-node.ts';
import { NodeContext } from '../node-context.ts';
import { systemClock } from '../system-clock.ts';
import { systemRandom } from '../system-random.ts';

const world = {
  clock: systemClock,
  random: systemRandom,
  spill: new MemorySpill(),
  log: silentLogger,
};
const call = { signal: new AbortController().signal, progress: () => {} };

async function open(repo: string, secret: Record<string, string>): Promise<EmbeddedNode> {
  return await EmbeddedNode.open(loadConfig({ repo }, secret), world);
}

test('a repository without encryption takes no passphrase, neither when made nor later', async (t) => {
  const repo = await mkdtemp(join(tmpdir(), 'codr-init-'));
  t.after(() => rm(repo, { recursive: true }));
  await using careless = await open(repo, { CODR_PASSWORD: 'one' });
  await assert.rejects(careless.init({ encryption: false }, call), { code: 'usage' });
  await using plain = await open(repo, {});
  await plain.init({ encryption: false }, call);
  assert.deepEqual(
    (await plain.listKeys(call)).keys.map(({ kind }) => kind),
    ['open'],
  );
  await assert.rejects(careless.listKeys(call), { code: 'key-wrong', message: /is not encrypted/ });
});

/** Paths of packs of data. */
async function dataPacks(repo: string): Promise<string[]> {
  const entries = await readdir(join(repo, 'packs', 'd'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name));
}

/** A node on a repository of its own with one source of cuts. */
async function withCuts(t: TestContext) {
  const repo = await mkdtemp(join(tmpdir(), 'codr-repair-'));
  const database = new CutDatabase();
  database.create('shop.orders');
  const context = new NodeContext(loadConfig({ repo }, {}), world, {});
  t.after(async () => {
    await context[Symbol.asyncDispose]();
    await rm(repo, { recursive: true });
  });
  Object.assign(context, { connectors: [cutConnector(database)] });
  const node = EmbeddedNode.over(context);
  await node.init({ encryption: false }, call);
  await node.addSource({ source: 'ring', uri: 'cuts://ring', include: [], exclude: [] }, call);
  const cut = async (step: number): Promise<void> => {
    for (let i = 0; i < 200; i += step) database.write('shop.orders', `k${i}`, `${step} ${i}`);
    database.nowMs += 60_000;
    await node.backup({ source: 'ring', follow: false }, call);
  };
  return { repo, context, node, cut };
}

test('a collection on a full disk says what it needs, and goes on when there is room', async (t) => {
  const { context, node, cut, repo } = await withCuts(t);
  await cut(1);
  await node.removeSource({ source: 'ring' }, call);
  const store = await context.store();
  const create = store.create.bind(store);
  const full = Object.assign(new Error('full'), { code: 'ENOSPC' });
  store.create = async () => {
    throw storeError(full, 'write', repo);
  };
  await assert.rejects(node.collect({ dryRun: false }, call), (error) => {
    assert.ok(isCodrError(error, 'store-unreachable'));
    assert.match(error.message, /no space is left on the disk \(ENOSPC\)$/);
    return /writes down what it deletes before it deletes it: make room/.test(error.remedy);
  });
  assert.ok((await dataPacks(repo)).length > 0, 'nothing was deleted');
  store.create = create;
  assert.ok((await node.collect({ dryRun: false }, call)).bytesFreed > 0);
  assert.deepEqual(await dataPacks(repo), []);
});

test('a repair says what is true: nothing is lost with a checkpoint, times are lost with what it was made of', async (t) => {
  const { repo, node, cut } = await withCuts(t);
  for (const step of [1, 2, 3]) await cut(step);
  const before = await dataPacks(repo);
  await node.checkpoint({ source: 'ring', to: 'latest' }, call);
  const folded = (await dataPacks(repo)).filter((path) => !before.includes(path));
  assert.ok(folded.length > 0, 'a checkpoint stores something');
  for (const path of folded) await rm(path);
  const look = { readDataPercent: 0, repair: false };
  assert.ok((await node.check(look, call)).problems.some(({ repaired }) => !repaired));
  const mended = await node.check({ ...look, repair: true }, call);
  assert.deepEqual(mended.givenUp, []);
  assert.ok(mended.problems.length > 0);
  for (const { repaired, remedy } of mended.problems) {
    assert.deepEqual([repaired, /every time that needed it/.test(remedy ?? '')], [true, true]);
  }
  assert.deepEqual((await node.check(look, call)).problems, []);
  assert.equal((await node.points({ source: 'ring' })).intervals.length, 3);
  for (const path of before) await rm(path);
  const lost = await node.check({ ...look, repair: true }, call);
  assert.deepEqual(lost.givenUp, ['ring']);
  assert.ok(
    lost.problems.every(({ repaired, remedy }) => !repaired && /are holes/.test(remedy ?? '')),
  );
  assert.deepEqual((await node.points({ source: 'ring' })).intervals, []);
});

test('a source that is registered and copied while a repair runs relies on nothing that is given up', async (t) => {
  const { repo, context, node, cut } = await withCuts(t);
  await cut(1);
  for (const path of await dataPacks(repo)) await rm(path);
  const store = await context.store();
  const stat = store.stat.bind(store);
  const joins = async (): Promise<void> => {
    store.stat = stat;
    const twin = { source: 'twin', uri: 'cuts://ring', include: [], exclude: [] };
    await node.addSource(twin, call);
    await node.backup({ source: 'twin', follow: false }, call);
  };
  // The repair has listed the lineages when it looks for the packs that they retain.
  store.stat = async (name, signal) => {
    if (name.startsWith('packs/d')) await joins();
    return await stat(name, signal);
  };
  const look = { readDataPercent: 100, repair: false };
  await node.check({ ...look, repair: true }, call);
  assert.equal(store.stat, stat, 'the source came meanwhile');
  assert.deepEqual((await node.check(look, call)).problems, []);
  await node.backup({ source: 'twin', follow: false }, call);
  const later = await node.check(look, call);
  assert.deepEqual(later.problems, []);
  const { intervals } = await node.points({ source: 'twin' });
  assert.ok(intervals.length > 0, 'what was lost is stored anew');
});

test('a source whose lineage was lost is not begun anew, as if there had never been another history', async (t) => {
  const { repo, node, cut } = await withCuts(t);
  await cut(1);
  for (const name of await readdir(join(repo, 'lineage'))) {
    if (name !== 'repository') await rm(join(repo, 'lineage', name), { recursive: true });
  }
  await assert.rejects(node.backup({ source: 'ring', follow: false }, call), (error) => {
    assert.ok(isCodrError(error, 'lineage-broken'));
    return /put the folder back from a copy of the repository/.test(error.remedy);
  });
});
