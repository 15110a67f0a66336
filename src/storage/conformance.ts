// The contract of every object store and of every wrapper around one, as tests. A store passes when the
// whole suite does; nothing else defines what `ObjectStore` means.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokenPromiseError } from '../base/assert.ts';
import { isCodrError } from '../base/error.ts';
import type { ObjectStore, StoredObject } from './object-store.ts';

interface OpenedStore {
  /** An empty store. */
  readonly store: ObjectStore;
  dispose(): Promise<void>;
}

type Check = (store: ObjectStore) => Promise<void>;

/** Registers the suite under `name`; `open` gives each test an empty store of its own. */
export function objectStoreConformance(name: string, open: () => Promise<OpenedStore>): void {
  for (const [sentence, check] of Object.entries({
    ...writing,
    ...reading,
    ...listing,
    ...giving,
  })) {
    test(`${name}: ${sentence}`, async () => {
      const { store, dispose } = await open();
      try {
        await check(store);
      } finally {
        await dispose();
      }
    });
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (content: Uint8Array): string => Buffer.from(content).toString();
const put = (store: ObjectStore, name: string, body = name) => store.create(name, [bytes(body)]);

async function listed(store: ObjectStore, prefix: string): Promise<StoredObject[]> {
  return Array.fromAsync(store.list(prefix));
}

async function names(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await listed(store, prefix)).map((object) => object.name);
}

const writing: Record<string, Check> = {
  'what was created is read back as it was': async (store) => {
    const body = [bytes('one '), bytes(''), bytes('two '), bytes('three')];
    assert.equal(await store.create('folder/sub/object', body), 'created');
    assert.equal(text(await store.get('folder/sub/object')), 'one two three');
  },
  'an object of many parts and many steps is read back as it was': async (store) => {
    const body = Array.from({ length: 3000 }, (_, i) => Buffer.alloc(i % 7 === 0 ? 9000 : 3, i));
    body.push(Buffer.alloc(9 * 1024 * 1024, 'long'));
    await store.create('many', body);
    assert.ok(Buffer.concat(body).equals(await store.get('many')));
  },
  'an empty object can be stored': async (store) => {
    assert.equal(await store.create('empty', []), 'created');
    assert.equal((await store.get('empty')).length, 0);
    assert.equal((await store.get('empty', { suffix: 4 })).length, 0);
    assert.equal((await store.stat('empty'))?.size, 0);
  },
  'a taken name keeps its first object': async (store) => {
    await put(store, 'a/b', 'first');
    assert.equal(await put(store, 'a/b', 'second'), 'exists');
    assert.equal(text(await store.get('a/b')), 'first');
  },
  'of concurrent creates of one name exactly one wins, and its bytes stay': async (store) => {
    const bodies = Array.from({ length: 16 }, (_, i) => `writer ${i} `.repeat(1000));
    const outcomes = await Promise.all(bodies.map((body) => put(store, 'race/name', body)));
    assert.deepEqual(
      outcomes.filter((outcome) => outcome === 'created'),
      ['created'],
    );
    assert.equal(text(await store.get('race/name')), bodies[outcomes.indexOf('created')]);
  },
  'concurrent creates in folders that are not there yet all succeed': async (store) => {
    const wanted = Array.from({ length: 24 }, (_, i) => `new/${i % 3}/deep/${i}`);
    await Promise.all(wanted.map((name) => put(store, name)));
    assert.deepEqual(await names(store, ''), wanted.sort());
  },
  'a reader sees the whole object or none': async (store) => {
    const part = Buffer.alloc(64 * 1024, 'x');
    const body = Array.from({ length: 64 }, () => part);
    let writing = true;
    const written = store.create('big', body).finally(() => {
      writing = false;
    });
    let looks = 0;
    for (; writing || looks === 0; looks++) {
      const size = (await store.stat('big'))?.size;
      assert.ok(size === undefined || size === 64 * part.length, `seen with ${size} bytes`);
      for (const object of await listed(store, '')) assert.equal(object.size, 64 * part.length);
      await new Promise((turn) => setImmediate(turn));
    }
    assert.equal(await written, 'created');
    assert.equal((await store.get('big')).length, 64 * part.length);
  },
  'the caller may reuse its buffers afterwards': async (store) => {
    const body = Buffer.from('kept');
    await store.create('reuse', [body]);
    body.fill(0);
    assert.equal(text(await store.get('reuse')), 'kept');
  },
  'names may hold every allowed character': async (store) => {
    const wanted = ['-', '.hidden', '...', 'A..b', '_', 'UPPER/lower.0', `${'n'.repeat(255)}/x`];
    for (const name of wanted) assert.equal(await put(store, name), 'created', name);
    for (const name of wanted) assert.equal(text(await store.get(name)), name);
    assert.deepEqual(await names(store, ''), wanted.sort());
  },
  'names that could leave the store or hide in it are refused': async (store) => {
    const wrong = ['', '/', '/a', 'a/', 'a//b', '.', '..', '../a', 'a/../b', './a', 'a b', 'ä'];
    wrong.push('a\\b', 'a\0b', 'a:b', '.tmp-1', 'a/.tmp-1', 'n'.repeat(256), 'n/'.repeat(600));
    for (const name of wrong) {
      await assert.rejects(async () => put(store, name), BrokenPromiseError, `create "${name}"`);
      await assert.rejects(async () => store.get(name), BrokenPromiseError, `get "${name}"`);
      await assert.rejects(async () => store.stat(name), BrokenPromiseError, `stat "${name}"`);
      await assert.rejects(async () => store.remove(name), BrokenPromiseError, `remove "${name}"`);
    }
    for (const prefix of ['a', '/', '../', 'a//', 'a/../']) {
      await assert.rejects(() => listed(store, prefix), BrokenPromiseError, `list "${prefix}"`);
      await assert.rejects(async () => store.listFolders(prefix), BrokenPromiseError);
    }
    assert.deepEqual(await names(store, ''), []);
  },
};

const reading: Record<string, Check> = {
  'a range gives the bytes it names': async (store) => {
    await put(store, 'object', '0123456789');
    assert.equal(text(await store.get('object', { offset: 0, length: 3 })), '012');
    assert.equal(text(await store.get('object', { offset: 4, length: 6 })), '456789');
    assert.equal(text(await store.get('object', { suffix: 3 })), '789');
    assert.equal(text(await store.get('object', { offset: 4, length: 0 })), '');
    assert.equal(text(await store.get('object', { suffix: 0 })), '');
  },
  'a range past the end is shorter or empty': async (store) => {
    await put(store, 'object', '0123456789');
    assert.equal(text(await store.get('object', { offset: 8, length: 100 })), '89');
    assert.equal(text(await store.get('object', { offset: 10, length: 1 })), '');
    assert.equal(text(await store.get('object', { offset: 999, length: 1 })), '');
  },
  'a suffix larger than the object is the whole object': async (store) => {
    await put(store, 'object', '0123456789');
    assert.equal(text(await store.get('object', { suffix: 11 })), '0123456789');
  },
  'what was read belongs to the caller': async (store) => {
    await put(store, 'object', 'untouched');
    (await store.get('object')).fill(0);
    assert.equal(text(await store.get('object')), 'untouched');
  },
  'a missing object is named by the error and has no stat': async (store) => {
    await put(store, 'folder/object');
    for (const name of [
      'nothing',
      'folder/nothing',
      'no/such/folder',
      'folder',
      'folder/object/x',
    ]) {
      await assert.rejects(
        () => store.get(name),
        (error) => isCodrError(error, 'object-missing') && error.object === name,
      );
      assert.equal(await store.stat(name), undefined);
    }
  },
  'stat tells name, size and a plausible age': async (store) => {
    await put(store, 'a/object', '12345');
    const stat = await store.stat('a/object');
    assert.equal(stat?.name, 'a/object');
    assert.equal(stat?.size, 5);
    assert.ok(Number.isSafeInteger(stat?.modifiedMs));
    assert.deepEqual(await listed(store, 'a/'), [stat]);
  },
};

const listing: Record<string, Check> = {
  'a list is ascending by whole name, also where folders and objects alternate': async (store) => {
    const wanted = ['a-/x', 'a-b', 'a.b', 'a/b', 'a/b-c/d', 'a/b.c', 'a0', 'a_', 'B', 'b/a'].sort();
    for (const name of wanted.toReversed()) {
      if (name !== 'a/b') await put(store, name);
    }
    const there = wanted.filter((name) => name !== 'a/b');
    assert.deepEqual(await names(store, ''), there);
    assert.deepEqual(
      await names(store, 'a/'),
      there.filter((name) => name.startsWith('a/')),
    );
  },
  'a list of hundreds of objects is whole and ordered': async (store) => {
    const wanted = Array.from({ length: 150 }, (_, i) => `n/${i % 2 ? `f${i}/` : ''}${i * 7919}`);
    await Promise.all(wanted.map((name) => put(store, name, '')));
    assert.deepEqual(await names(store, 'n/'), wanted.sort());
  },
  'a prefix means a folder, not the beginning of a name': async (store) => {
    await put(store, 'pack/1');
    await put(store, 'packs/1');
    assert.deepEqual(await names(store, 'pack/'), ['pack/1']);
    assert.deepEqual(await names(store, 'none/'), []);
    assert.deepEqual(await names(store, 'pack/1/'), []);
  },
  'folders are the direct ones that hold an object': async (store) => {
    for (const name of ['x/1', 'x/b/1', 'x/a/2/3', 'x/a-/4', 'y/5']) await put(store, name);
    assert.deepEqual(await store.listFolders('x/'), ['a', 'a-', 'b']);
    assert.deepEqual(await store.listFolders(''), ['x', 'y']);
    assert.deepEqual(await store.listFolders('none/'), []);
    await store.remove('x/a/2/3');
    assert.deepEqual(await store.listFolders('x/'), ['a-', 'b']);
  },
  'objects may be removed while a list goes on': async (store) => {
    for (let i = 0; i < 80; i++) await put(store, `n/${String(i).padStart(3, '0')}`);
    const seen: string[] = [];
    for await (const object of store.list('n/')) {
      seen.push(object.name);
      await store.remove(object.name);
    }
    assert.equal(seen.length, 80);
    assert.deepEqual(await names(store, ''), []);
  },
};

const giving: Record<string, Check> = {
  'a removed object is gone, and removing it again is no error': async (store) => {
    await put(store, 'a/object');
    await store.remove('a/object');
    await store.remove('a/object');
    await store.remove('never/was/there');
    assert.equal(await store.stat('a/object'), undefined);
    assert.deepEqual(await names(store, ''), []);
  },
  'the name of a removed object is free again': async (store) => {
    await put(store, 'object', 'first');
    await store.remove('object');
    assert.equal(await put(store, 'object', 'second'), 'created');
    assert.equal(text(await store.get('object')), 'second');
  },
  'an aborted signal rejects every call with its own reason and changes nothing': async (store) => {
    await put(store, 'object');
    const reason = new Error('stopped by the test');
    const signal = AbortSignal.abort(reason);
    const is = (error: unknown) => error === reason;
    await assert.rejects(() => store.create('other', [bytes('x')], signal), is);
    await assert.rejects(() => store.get('object', undefined, signal), is);
    await assert.rejects(() => store.stat('object', signal), is);
    await assert.rejects(() => Array.fromAsync(store.list('', signal)), is);
    await assert.rejects(() => store.listFolders('', signal), is);
    await assert.rejects(() => store.remove('object', signal), is);
    assert.deepEqual(await names(store, ''), ['object']);
  },
  'a list ends with the reason when the signal is aborted in the middle': async (store) => {
    for (const name of ['a', 'b', 'c']) await put(store, name);
    const reason = new Error('stopped by the test');
    const stop = new AbortController();
    const seen: string[] = [];
    const reading = async (): Promise<void> => {
      for await (const object of store.list('', stop.signal)) {
        seen.push(object.name);
        stop.abort(reason);
      }
    };
    await assert.rejects(reading, (error) => error === reason);
    assert.deepEqual(seen, ['a']);
  },
};
