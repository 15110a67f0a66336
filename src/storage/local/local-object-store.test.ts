import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BrokenPromiseError } from '../../base/assert.ts';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { objectStoreConformance } from '../conformance.ts';
import { RetryingObjectStore } from '../retrying-object-store.ts';
import type { FileSystem } from './file-system.ts';
import { LocalObjectStore } from './local-object-store.ts';

objectStoreConformance('local', async () => {
  const root = await fs.mkdtemp(join(tmpdir(), 'codr-store-'));
  return {
    store: new LocalObjectStore(root, new SeededRandom(1)),
    dispose: () => fs.rm(root, { recursive: true }),
  };
});

async function folder(t: TestContext): Promise<string> {
  const root = await fs.mkdtemp(join(tmpdir(), 'codr-store-'));
  t.after(() => fs.rm(root, { recursive: true, force: true }));
  return root;
}

const systemError = (code: string): Error => Object.assign(new Error(code), { code });
const refusing = (code: string) => async (): Promise<never> => {
  throw systemError(code);
};
const body = [Buffer.from('body')];

async function filesOf(root: string): Promise<string[]> {
  const entries = await fs.readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

/** The real file system, but opened files answer `method` with an error. */
function withFailingFile(method: 'writev' | 'sync', code: string, forFolders: boolean): FileSystem {
  return {
    ...fs,
    open: async (path, flags, mode) => {
      const file = await fs.open(path, flags, mode);
      if ((flags === 'r') !== forFolders) return file;
      return Object.assign(file, { [method]: refusing(code) });
    },
  };
}

test('prepare makes the folder and its parents and leaves nothing in it', async (t) => {
  const root = join(await folder(t), 'x', 'y');
  const store = new LocalObjectStore(root, new SeededRandom(1));
  await store.prepare();
  assert.deepEqual(await fs.readdir(root), []);
  await store.prepare();
});

test('without its folder a store is unreachable, and the folder is not made', async (t) => {
  const root = join(await folder(t), 'unmounted');
  const store = new LocalObjectStore(root, new SeededRandom(1));
  for (const name of ['object', 'in/folder']) {
    await assert.rejects(
      () => store.create(name, body),
      (error) => isCodrError(error, 'store-unreachable') && error.facts.transient === false,
    );
  }
  await assert.rejects(
    () => Array.fromAsync(store.list('packs/')),
    (error) => isCodrError(error, 'store-unreachable'),
  );
  await assert.rejects(fs.lstat(root));
});

test('a file system without hard links is unfit', async (t) => {
  const root = await folder(t);
  const store = new LocalObjectStore(root, new SeededRandom(1), { ...fs, link: refusing('EPERM') });
  await assert.rejects(
    () => store.prepare(),
    (error) => isCodrError(error, 'store-unfit') && /hard links/.test(error.message),
  );
  assert.deepEqual(await filesOf(root), []);
});

test('a file system that replaces on link is unfit', async (t) => {
  const root = await folder(t);
  const replacing: FileSystem = {
    ...fs,
    link: async (from, to) => {
      await fs.rm(to, { force: true });
      await fs.link(from, to);
    },
  };
  const store = new LocalObjectStore(root, new SeededRandom(1), replacing);
  await assert.rejects(
    () => store.prepare(),
    (error) => isCodrError(error, 'store-unfit') && /twice/.test(error.message),
  );
});

test('a file system that cannot sync folders is unfit', async (t) => {
  const root = await folder(t);
  const store = new LocalObjectStore(
    root,
    new SeededRandom(1),
    withFailingFile('sync', 'EINVAL', true),
  );
  await assert.rejects(
    () => store.prepare(),
    (error) => isCodrError(error, 'store-unfit') && /fsync/.test(error.message),
  );
});

for (const method of ['writev', 'sync'] as const) {
  test(`a full disk at ${method} is an unreachable store, with nothing left behind`, async (t) => {
    const root = await folder(t);
    const full = withFailingFile(method, 'ENOSPC', false);
    const store = new LocalObjectStore(root, new SeededRandom(1), full);
    await assert.rejects(
      () => store.create('packs/object', body),
      (error) =>
        isCodrError(error, 'store-unreachable') &&
        (error.cause as { code: string }).code === 'ENOSPC' &&
        /free space/.test(error.remedy),
    );
    assert.deepEqual(await filesOf(root), []);
  });
}

test('a write that the system takes in small pieces still stores every byte', async (t) => {
  const root = await folder(t);
  const reluctant: FileSystem = {
    ...fs,
    open: async (path, flags, mode) => {
      const file = await fs.open(path, flags, mode);
      if (flags === 'r') return file;
      const writev = (parts: readonly Uint8Array[], position: number) =>
        file.write(parts[0] as Uint8Array, 0, Math.min(3, parts[0]?.length ?? 0), position);
      return Object.assign(file, { writev });
    },
  };
  const store = new LocalObjectStore(root, new SeededRandom(1), reluctant);
  const parts = ['a', 'bcdefgh', '', 'ijk', 'lm'].map((part) => Buffer.from(part));
  await store.create('object', parts);
  assert.equal(Buffer.from(await store.get('object')).toString(), 'abcdefghijklm');
});

test('what is created, removed or prepared is synced: file, folder and new parents', async (t) => {
  const root = join(await folder(t), 'new', 'root');
  const base = dirname(dirname(root));
  const steps: string[] = [];
  const recording: FileSystem = {
    ...fs,
    open: async (path, flags, mode) => {
      const file = await fs.open(path, flags, mode);
      const what = flags === 'r' ? `folder ${relative(base, String(path))}` : 'file';
      const sync = async (): Promise<void> => void steps.push(`sync ${what}`);
      return Object.assign(file, { sync });
    },
    link: async (from, to) => {
      await fs.link(from, to);
      steps.push('link');
    },
  };
  const store = new LocalObjectStore(root, new SeededRandom(1), recording);
  await store.prepare();
  assert.deepEqual(steps.splice(0).slice(0, 2), ['sync folder ', 'sync folder new']);
  await store.create('p/d/one', body);
  assert.deepEqual(steps.splice(0), [
    'sync folder new/root',
    'sync folder new/root/p',
    'sync file',
    'link',
    'sync folder new/root/p/d',
  ]);
  await store.create('p/d/two', body);
  assert.deepEqual(steps.splice(0), ['sync file', 'link', 'sync folder new/root/p/d']);
  await store.remove('p/d/two');
  assert.deepEqual(steps.splice(0), ['sync folder new/root/p/d']);
});

test('a link whose reply was lost counts as created', async (t) => {
  const root = await folder(t);
  const forgetful: FileSystem = {
    ...fs,
    link: async (from, to) => {
      await fs.link(from, to);
      throw systemError('EEXIST');
    },
  };
  const store = new LocalObjectStore(root, new SeededRandom(1), forgetful);
  assert.equal(await store.create('object', body), 'created');
});

test('temporary files of crashed writers are not listed and block nobody', async (t) => {
  const root = await folder(t);
  const crashing: FileSystem = { ...fs, link: refusing('EIO'), unlink: refusing('EIO') };
  const crashed = new LocalObjectStore(root, new SeededRandom(1), crashing);
  await assert.rejects(() => crashed.create('p/object', body));
  assert.equal((await filesOf(root)).length, 1);

  const store = new LocalObjectStore(root, new SeededRandom(1));
  assert.deepEqual(await Array.fromAsync(store.list('')), []);
  assert.deepEqual(await store.listFolders(''), []);
  assert.equal(await store.create('p/object', body), 'created');
  const seen = await Array.fromAsync(store.list(''));
  assert.deepEqual(
    seen.map((object) => object.name),
    ['p/object'],
  );
});

test('sweep removes leftovers older than the given time, and nothing else', async (t) => {
  const root = await folder(t);
  const store = new LocalObjectStore(root, new SeededRandom(1));
  await store.create('p/object', body);
  const [old, young] = [join(root, 'p', '.tmp-old'), join(root, 'p', '.tmp-young')];
  for (const path of [old, young]) await fs.writeFile(path, 'half');
  await fs.utimes(old, 1000, 1000);
  await fs.utimes(join(root, 'p', 'object'), 1000, 1000);
  assert.equal(await store.sweep(1_000_001), 1);
  assert.deepEqual((await filesOf(root)).sort(), ['.tmp-young', 'object']);
});

test('foreign files, links and folders are passed over', async (t) => {
  const root = await folder(t);
  const store = new LocalObjectStore(root, new SeededRandom(1));
  await store.create('object', body);
  await fs.mkdir(join(root, 'lost+found'));
  await fs.writeFile(join(root, 'lost+found', 'x'), '');
  await fs.writeFile(join(root, 'a b'), '');
  await fs.symlink(dirname(root), join(root, 'link'));
  const seen = await Array.fromAsync(store.list(''));
  assert.deepEqual(
    seen.map((object) => object.name),
    ['object'],
  );
  assert.deepEqual(await store.listFolders(''), []);
});

test('a folder removed behind its back is made again', async (t) => {
  const root = await folder(t);
  const store = new LocalObjectStore(root, new SeededRandom(1));
  await store.create('p/d/one', body);
  await fs.rm(join(root, 'p'), { recursive: true });
  assert.equal(await store.create('p/d/two', body), 'created');
});

test('a name cannot be an object and a folder', async (t) => {
  const store = new LocalObjectStore(await folder(t), new SeededRandom(1));
  await store.create('a/b', body);
  await assert.rejects(() => store.create('a', body), BrokenPromiseError);
  await assert.rejects(() => store.create('a/b/c', body), BrokenPromiseError);
});

test('a root that is a file is an unreachable store', async (t) => {
  const root = join(await folder(t), 'file');
  await fs.writeFile(root, '');
  const store = new LocalObjectStore(root, new SeededRandom(1));
  const unreachable = (error: unknown): boolean => isCodrError(error, 'store-unreachable');
  await assert.rejects(() => store.prepare(), unreachable);
  await assert.rejects(() => store.create('in/object', body), unreachable);
});

test('a create that is tried again answers only after a sync of its folder went well', async (t) => {
  const root = await folder(t);
  const refused = join(root, 'x');
  const synced: string[] = [];
  let failures = 1;
  const system: FileSystem = {
    ...fs,
    open: async (path, flags, mode) => {
      if (flags === 'r' && path === refused && failures-- > 0) throw systemError('EMFILE');
      const file = await fs.open(path, flags, mode);
      const sync = file.sync.bind(file);
      return Object.assign(file, { sync: () => sync().then(() => synced.push(String(path))) });
    },
  };
  const store = new RetryingObjectStore(new LocalObjectStore(root, new SeededRandom(1), system), {
    clock: { sleep: async () => {} },
    random: new SeededRandom(2),
  });
  assert.equal(await store.create('x/object', body), 'created');
  assert.ok(synced.includes(refused), 'the folder of the object is durable');
});

test('a folder whose sync failed once takes no more objects, whatever the next sync says', async (t) => {
  const root = await folder(t);
  const failing = withFailingFile('sync', 'EIO', true);
  let fail = false;
  const open: FileSystem['open'] = (...args) => (fail ? failing : fs).open(...args);
  const store = new LocalObjectStore(root, new SeededRandom(1), { ...fs, open });
  await store.create('x/before', body);
  const lost = (error: unknown): boolean =>
    isCodrError(error, 'store-unreachable') && error.facts.transient === false;
  fail = true;
  await assert.rejects(store.create('x/object', body), lost);
  fail = false;
  await assert.rejects(store.create('x/object', body), lost);
  await assert.rejects(store.create('x/other', body), lost);
  await store.create('y/object', body);
});
