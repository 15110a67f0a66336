import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { silentLogger } from '../base/log.ts';
import { SeededRandom } from '../base/random.ts';
import { livePins } from '../repository/collect/pins.ts';
import {
  createFixture,
  openFixture,
  probe,
  registerSource,
} from '../repository/collect/repository-fixture.ts';
import type { Lineage } from '../repository/lineage/lineage.ts';
import { type Repository, repositoryLineage } from '../repository/repository.ts';
import { type FileSystem, nodeFileSystem } from '../storage/local/file-system.ts';
import { LocalObjectStore } from '../storage/local/local-object-store.ts';
import { MemoryObjectStore } from '../storage/memory/memory-object-store.ts';
import { s3Error } from '../storage/s3/s3-error.ts';
import { withPin } from './pin.ts';

const hour = 3_600_000;
/** A collector on a machine that cannot ask the reader's. */
const elsewhere = { ...probe, isAlive: async () => 'unknown' as const };

let store: MemoryObjectStore;
let clock: ManualClock;
let repository: Repository;
let lineage: Lineage;

beforeEach(async () => {
  store = new MemoryObjectStore();
  await createFixture(store, 1);
  clock = new ManualClock();
  repository = await openFixture(store, { seed: 2, clock });
  lineage = await registerSource(repository, 'aa');
});

const count = async (): Promise<number> => {
  const context = { store, keys: repository.unlocked.keys };
  return (await livePins(context, { clock, probe: elsewhere })).length;
};

const stored = async (): Promise<number> => {
  let objects = 0;
  for await (const _ of store.list('mutable/pin/')) objects++;
  return objects;
};

/** Begins work that lasts until it is told to end. */
function pinned(): { readonly end: () => void; readonly ended: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const world = { clock, probe, log: silentLogger, random: new SeededRandom(3) };
  const ended = withPin({ repository, lineage, world }, () => promise);
  return { end: resolve, ended };
}

test('a pin counts elsewhere as long as its work lasts, and is gone afterwards', async () => {
  const work = pinned();
  for (let days = 0; days < 4; days++) {
    await clock.advance(25 * hour);
    assert.equal(await count(), 1, `after ${days + 1} days`);
    assert.equal(await stored(), 2, 'the newest value and the one before');
  }
  work.end();
  await work.ended;
  assert.deepEqual([await count(), await stored(), clock.sleeping], [0, 0, 0]);
});

test('a pin that nobody renews counts for a day', async () => {
  pinned();
  await clock.advance(5 * hour);
  const { create } = store;
  store.create = async () => {
    throw new Error('the store is away');
  };
  await clock.advance(18 * hour);
  assert.equal(await count(), 1);
  await clock.advance(2 * hour);
  assert.equal(await count(), 0);
  store.create = create.bind(store);
  await clock.advance(6 * hour);
  assert.equal(await count(), 1, 'it is renewed as soon as the store is back');
});

test('short work leaves nothing behind', async () => {
  const work = pinned();
  work.end();
  await work.ended;
  assert.equal(await stored(), 0);
});

/** What is warned of when the same repository is read twice through such a file system. */
async function readTwice(fs: Partial<FileSystem>): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'codr-pin-'));
  try {
    const random = new SeededRandom(1);
    await createFixture(new LocalObjectStore(folder, random), 1);
    const store = new LocalObjectStore(folder, random, { ...nodeFileSystem, ...fs });
    const repository = await openFixture(store, { seed: 2 });
    const lineage = await repository.openLineage(repositoryLineage);
    const warnings: string[] = [];
    const warn = (_fields: object, message: string): void => void warnings.push(message);
    const log = { ...silentLogger, warn };
    for (const value of [7, 8]) {
      const world = { clock: new ManualClock(), log, probe, random };
      assert.equal(await withPin({ repository, lineage, world }, async () => value), value);
    }
    return warnings;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const refusal = (code: string) => (): Promise<never> =>
  Promise.reject(Object.assign(new Error(code), { code }));

test('a repository that may only be read, or is full, is read without a pin, and one warning says what that means', async () => {
  for (const code of ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT']) {
    const refuse = refusal(code);
    const open: FileSystem['open'] = (path, flags, mode) =>
      flags === 'r' ? nodeFileSystem.open(path, flags, mode) : refuse();
    const warnings = await readTwice({ open, mkdir: refuse, unlink: refuse });
    assert.equal(warnings.length, 1, code);
    assert.match(warnings[0] as string, /read without a pin.*could remove packs/);
  }
});

test('a store that keeps what it took may keep the pin; one that takes pins is not warned of', async () => {
  assert.deepEqual(await readTwice({ unlink: refusal('EPERM') }), []);
  assert.deepEqual(await readTwice({}), []);
});

test('a store in S3 that refuses to write is read without a pin', async () => {
  const random = new SeededRandom(1);
  const inner = new MemoryObjectStore();
  await createFixture(inner, 1);
  const repository = await openFixture(inner, { seed: 2 });
  const lineage = await repository.openLineage(repositoryLineage);
  const world = { clock: new ManualClock(), log: silentLogger, probe, random };
  for (const name of ['AccessDenied', 'QuotaExceeded']) {
    const answer = Object.assign(new Error(name), { name, $metadata: { httpStatusCode: 403 } });
    inner.create = async () => {
      throw s3Error(answer, 'write', 's3://b/x');
    };
    assert.equal(await withPin({ repository, lineage, world }, async () => 7), 7);
  }
  inner.create = async () => {
    throw s3Error(new Error('away'), 'write', 's3://b/x');
  };
  const away = withPin({ repository, lineage, world }, async () => 7);
  await assert.rejects(away, { code: 'store-unreachable' });
});

test('a store that fails otherwise is not read', async () => {
  const open: FileSystem['open'] = (path, flags, mode) =>
    flags === 'r' ? nodeFileSystem.open(path, flags, mode) : refusal('EIO')();
  await assert.rejects(readTwice({ open }), { code: 'store-unreachable' });
});

test('a pin that cannot be removed hides neither what was read nor how that failed', async () => {
  const inner = new MemoryObjectStore();
  await createFixture(inner, 1);
  const reader = await openFixture(inner, { seed: 2, clock });
  const own = await registerSource(reader, 'bb');
  inner.remove = async () => {
    throw s3Error(new Error('away'), 'remove', 's3://b/x');
  };
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (_: object, text: string) => void warnings.push(text) };
  const world = { clock, probe, log, random: new SeededRandom(3) };
  const read = async <T>(work: () => Promise<T>): Promise<T> =>
    await withPin({ repository: reader, lineage: own, world }, work);
  assert.equal(await read(async () => 7), 7);
  const fails = async (): Promise<never> => {
    throw new Error('of the work');
  };
  await assert.rejects(read(fails), { message: 'of the work' });
  assert.match(warnings.join(), /could not be removed/);
});
