import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import type { ObjectStore } from '../object-store.ts';
import { LocalObjectStore } from './local-object-store.ts';

const body = [Buffer.from('body')];

/** A store at a mount point: a link that leads to the disk, or elsewhere when it is unmounted. */
async function mounted(t: TestContext) {
  const folder = await fs.mkdtemp(join(tmpdir(), 'codr-root-'));
  t.after(() => fs.rm(folder, { recursive: true }));
  const [disk, below, point] = ['disk', 'below', 'point'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await fs.mkdir(disk);
  await fs.mkdir(below);
  await fs.symlink(disk, point);
  const leadTo = async (where: string): Promise<void> => {
    await fs.unlink(point);
    await fs.symlink(where, point);
  };
  return { disk, below, leadTo, store: new LocalObjectStore(point, new SeededRandom(1)) };
}

const calls: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
  create: (store) => store.create('packs/new', body),
  get: (store) => store.get('packs/old'),
  stat: (store) => store.stat('packs/old'),
  list: (store) => Array.fromAsync(store.list('packs/')),
  listFolders: (store) => store.listFolders(''),
  remove: (store) => store.remove('packs/old'),
};

test('an empty folder in place of a store that was read is no store: nothing looks deleted, nothing is written', async (t) => {
  const { below, disk, leadTo, store } = await mounted(t);
  await store.create('config', body);
  await store.create('packs/old', body);
  await store.get('config');
  await leadTo(below);
  for (const [name, call] of Object.entries(calls)) {
    await assert.rejects(call(store), (error) => {
      assert.ok(isCodrError(error, 'store-unreachable'), name);
      assert.match(error.message, /point is another folder than before/);
      return error.facts.transient === false;
    });
  }
  assert.deepEqual(await fs.readdir(below), []);
  await leadTo(disk);
  assert.equal((await store.stat('packs/old'))?.size, 4);
  assert.equal(await store.create('packs/new', body), 'created');
});

test('a list that is cut short by an unmount is an error', async (t) => {
  const { below, leadTo, store } = await mounted(t);
  for (const name of ['config', 'packs/aa/1', 'packs/bb/2']) await store.create(name, body);
  await store.get('config');
  const listed: string[] = [];
  const list = async (): Promise<void> => {
    for await (const { name } of store.list('packs/')) {
      listed.push(name);
      await leadTo(below);
    }
  };
  await assert.rejects(list(), { code: 'store-unreachable' });
  assert.deepEqual(listed, ['packs/aa/1']);
});

test('a disk that comes back under another number is the same store, by what was read', async (t) => {
  const { below, disk, leadTo, store } = await mounted(t);
  await store.create('config', body);
  await store.get('config');
  await fs.cp(disk, below, { recursive: true });
  await leadTo(below);
  assert.equal(await store.create('packs/new', body), 'created');
  assert.equal(await store.stat('packs/old'), undefined);
});

test('what was read and removed, as the probe of a new store is, is not looked for any more', async (t) => {
  const { below, disk, leadTo, store } = await mounted(t);
  await store.prepare();
  await store.create('config', body);
  await store.get('config');
  await fs.cp(disk, below, { recursive: true });
  await leadTo(below);
  assert.equal(await store.create('packs/new', body), 'created');
});

test('a store that was never read is taken as it is', async (t) => {
  const { below, leadTo, store } = await mounted(t);
  await leadTo(below);
  await assert.rejects(store.get('config'), (error) => isCodrError(error, 'object-missing'));
  assert.equal(await store.create('config', body), 'created');
});
