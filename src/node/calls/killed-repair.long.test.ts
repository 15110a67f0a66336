// A repair and a collection on a folder, by a process that dies at its first write, the next one at its second, and
// so on until one comes through: what then is there is what one that never died leaves.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isCodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import { MemorySpill } from '../../base/spill.ts';
import { CutDatabase, cutConnector } from '../../engine/capture/cut-source.fixture.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
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
const database = new CutDatabase();
const names = { include: [], exclude: [] };
const look = { readDataPercent: 100, repair: false };
/** Of a process, at its write of that number: it is done, or not. */
type Death = { readonly at: number; readonly when: 'before' | 'after' };

/** What a process does on the folder; undefined when it has died. */
async function process<T>(
  repo: string,
  work: (node: EmbeddedNode) => Promise<T>,
  death?: Death,
): Promise<T | undefined> {
  const context = new NodeContext(loadConfig({ repo }, {}), world, {});
  Object.assign(context, { connectors: [cutConnector(database)] });
  try {
    const dying = death && diesAt(await context.store(), death);
    const node = EmbeddedNode.over(context);
    if (!dying) return await work(node);
    return await work(node).catch((error: unknown) => {
      if (!dying.isDead) throw error;
      return undefined;
    });
  } finally {
    await context[Symbol.asyncDispose]();
  }
}

/** From that write on nothing that the process does reaches the store. */
function diesAt(store: ObjectStore, { at, when }: Death): { readonly isDead: boolean } {
  const state = { isDead: false };
  let writes = 0;
  const dead = (): never => {
    throw new Error('the process is dead');
  };
  const read = { get: store.get.bind(store), stat: store.stat.bind(store) };
  const write = { create: store.create.bind(store), remove: store.remove.bind(store) };
  for (const [name, real] of Object.entries({ ...read, ...write })) {
    const own = async (...args: unknown[]): Promise<unknown> => {
      if (state.isDead) dead();
      const dies = name in write && ++writes === at;
      if (dies && when === 'before') state.isDead = true;
      const done = state.isDead ? dead() : await (real as (...all: unknown[]) => unknown)(...args);
      if (dies) state.isDead = true;
      return state.isDead ? dead() : done;
    };
    Object.assign(store, { [name]: own });
  }
  return state;
}

/** Runs `work` until it comes through; the processes before died. `between` is called after every fourth death. */
async function untilThrough<T>(
  repo: string,
  work: (node: EmbeddedNode) => Promise<T>,
  between: () => Promise<void>,
): Promise<{ readonly result: T; readonly deaths: number }> {
  for (let deaths = 0; ; deaths++) {
    const when = deaths % 2 === 0 ? 'after' : 'before';
    const result = await process(repo, work, { at: 1 + deaths, when });
    if (result !== undefined) return { result, deaths };
    if (deaths % 4 === 0) await between();
  }
}

async function copyOf(t: TestContext, repo: string): Promise<string> {
  const twin = `${repo}-twin`;
  await cp(repo, twin, { recursive: true });
  t.after(() => rm(twin, { recursive: true }));
  return twin;
}

type Moments = Readonly<Record<string, readonly string[]>>;

/** What `some` can restore can be restored of `all`, as the same. */
function assertAmong(some: Moments, all: Moments): void {
  for (const [name, lines] of Object.entries(some)) {
    const missing = lines.filter((line) => !all[name]?.includes(line));
    assert.deepEqual(missing, [], `times of ${name}`);
  }
}

/** Two sources with the same table; one of them has a second one. Three cuts of each. */
async function folder(t: TestContext): Promise<string> {
  const repo = await mkdtemp(join(tmpdir(), 'codr-killed-'));
  t.after(() => rm(repo, { recursive: true }));
  await process(repo, async (node) => {
    await node.init({ encryption: false }, call);
    const uri = 'cuts://ring';
    await node.addSource({ source: 'both', uri, include: ['shop.*'], exclude: [] }, call);
    await node.addSource({ source: 'one', uri, include: ['shop.orders'], exclude: [] }, call);
    for (const step of [1, 2, 3]) {
      for (let i = 0; i < 100; i += step) {
        database.write('shop.orders', `k${i}`, `orders ${step} ${i} ${'x'.repeat(50)}`);
        database.write('shop.only', `k${i}`, `only ${step} ${i} ${'y'.repeat(50)}`);
      }
      database.nowMs += 60_000;
      for (const source of ['one', 'both']) await node.backup({ source, follow: false }, call);
    }
  });
  return repo;
}

async function files(repo: string, below: string): Promise<string[]> {
  const entries = await readdir(join(repo, below), { recursive: true, withFileTypes: true });
  return entries.flatMap((one) => (one.isFile() ? [join(one.parentPath, one.name)] : [])).sort();
}

/** Of each source every moment that can be restored, and what verifying it says. */
async function moments(repo: string): Promise<Moments> {
  const told = await process(repo, async (node) => {
    const all: Record<string, string[]> = {};
    for (const { name } of (await node.listSources(call)).sources) {
      const { intervals } = await node.points({ source: name });
      const times = intervals.map(({ to }) => to.time);
      const lines = times.map(async (at) => {
        const asked = { source: name, at, ...names, readData: true };
        const { datasets } = await node.verify(asked, call);
        const seen = datasets.map((one) => `${one.namespace} ${one.verdict} ${one.root}`);
        return `${at}: ${seen.join(', ')}`;
      });
      all[name] = await Promise.all(lines);
    }
    return all;
  });
  assert.ok(told);
  return told;
}

database.create('shop.orders');
database.create('shop.only');

test('repairs that die at any write come to what one repair comes to', async (t) => {
  const repo = await folder(t);
  const whole = await moments(repo);
  const packs = await files(repo, 'packs');
  const [index = ''] = await files(repo, 'index');
  await writeFile(index, 'damaged');
  for (const path of [packs[1], packs[4]]) await rm(path as string);
  const twin = await copyOf(t, repo);
  const repair = (node: EmbeddedNode) => node.check({ ...look, repair: true }, call);
  const once = await process(twin, repair);
  assert.ok((once?.problems.length ?? 0) > 0);
  const wanted = await moments(twin);
  assertAmong(wanted, whole);
  assert.notDeepEqual(wanted, whole, 'times are lost');
  const { deaths, result } = await untilThrough(repo, repair, async () => {
    const now = await moments(repo).catch((error: unknown) => {
      // Nothing is read before the index is mended.
      if (isCodrError(error, 'object-damaged') && error.object?.startsWith('index/')) return wanted;
      throw error;
    });
    assertAmong(wanted, now);
  });
  assert.ok(deaths >= 6, `${deaths} deaths`);
  assert.deepEqual(await moments(repo), wanted);
  const mended = result.problems.filter(({ remedy }) => /every time that/.test(remedy ?? ''));
  assert.deepEqual(mended, [], 'that no time is lost is not said');
  const after = await process(repo, (node) => node.check(look, call));
  assert.deepEqual(after?.problems, []);
});

test('collections that die at any write free what one frees, and nothing else', async (t) => {
  const repo = await folder(t);
  // Its repair stores the states of lineages in packs, where a collection removes them.
  await rm((await files(repo, 'packs')).at(-1) as string);
  await process(repo, (node) => node.check({ ...look, repair: true }, call));
  await process(repo, (node) => node.removeSource({ source: 'both' }, call));
  const wanted = await moments(repo);
  const before = await files(repo, 'packs');
  const twin = await copyOf(t, repo);
  const collect = (node: EmbeddedNode) => node.collect({ dryRun: false }, call);
  await process(twin, collect);
  const { deaths } = await untilThrough(repo, collect, async () => {
    assert.deepEqual(await moments(repo), wanted);
    const { problems = [] } = (await process(repo, (node) => node.check(look, call))) ?? {};
    assert.deepEqual(problems, [], 'what is half removed is no damage');
  });
  assert.ok(deaths >= 4, `${deaths} deaths`);
  const kept = await files(repo, 'packs');
  assert.ok(kept.length < before.length, 'something was freed');
  const namesIn = (folder: string, paths: string[]) => paths.map((one) => one.slice(folder.length));
  assert.deepEqual(namesIn(repo, kept), namesIn(twin, await files(twin, 'packs')));
  const lineages = (await files(repo, 'lineage')).map((path) => dirname(path));
  assert.equal(new Set(lineages).size, 2, 'nothing of the source is left');
  const after = await process(repo, (node) => node.check(look, call));
  assert.deepEqual(after?.problems, []);
});
