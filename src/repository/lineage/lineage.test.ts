import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { FaultyObjectStore } from '../../storage/faulty-object-store.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import {
  createFixture,
  openFixture,
  probe,
  self,
  testClock,
} from '../collect/repository-fixture.ts';
import { entryName, type Lineage } from './lineage.ts';
import { createMutable, newestMutable, readMutable, removeMutable } from './mutable.ts';
import { CondemnedPacksError, type CondemnedRecord, packKey, usePacks } from './pack-table.ts';
import { type ClaimOptions, claimWriter, nameOf } from './writer.ts';

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'utf8');

async function emptyStore(): Promise<MemoryObjectStore> {
  const store = new MemoryObjectStore({ now: () => 0 });
  await createFixture(store, 1);
  return store;
}

/** A lineage as one process sees it. */
async function openAs(store: ObjectStore, seed: number): Promise<Lineage> {
  return await (await openFixture(store, { seed })).openLineage('aa');
}

async function count(lineage: Lineage, commits: number): Promise<void> {
  for (let i = 0; i < commits; i++) {
    await lineage.commit((draft): undefined => {
      draft.set('counter/n', (draft.get<number>('counter/n') ?? 0) + 1);
    });
  }
}

test('two writers that race lose nothing: whoever comes second builds on the first', async () => {
  const store = await emptyStore();
  const [a, b] = [await openAs(store, 2), await openAs(store, 3)];
  await Promise.all([count(a, 20), count(b, 20)]);
  const reader = await openAs(store, 4);
  assert.equal(reader.state.get('counter/n'), 40);
  assert.equal(reader.seq, 39);
});

test('a builder that has nothing to say commits nothing', async () => {
  const lineage = await openAs(await emptyStore(), 2);
  assert.equal(await lineage.commit(() => false), undefined);
  assert.equal(lineage.seq, -1);
});

for (const outcome of ['stored', 'not stored'] as const) {
  test(`a reply that is lost is told by the nonce when the entry was ${outcome}`, async () => {
    const store = await emptyStore();
    let fail = true;
    const losing: ObjectStore = Object.assign(Object.create(store), {
      async create(name: string, body: readonly Uint8Array[]) {
        if (!fail || !name.startsWith('lineage/')) return await store.create(name, body);
        fail = false;
        if (outcome === 'stored') await store.create(name, body);
        throw new Error('connection reset');
      },
    });
    bindAll(losing, store);
    const lineage = await openAs(losing, 2);
    if (outcome === 'stored') {
      await count(lineage, 1);
      assert.equal(lineage.seq, 0);
    } else {
      await assert.rejects(count(lineage, 1), /connection reset/);
      await count(lineage, 1);
    }
    assert.equal((await openAs(store, 3)).state.get('counter/n'), 1);
  });
}

test('an entry that can be read but was not made durable is no commit', async () => {
  const store = await emptyStore();
  const failing: ObjectStore = Object.assign(Object.create(store), {
    async create(name: string, body: readonly Uint8Array[]) {
      const outcome = await store.create(name, body);
      if (name.startsWith('lineage/')) throw new Error('fsync: EIO');
      return outcome;
    },
  });
  bindAll(failing, store);
  await assert.rejects(count(await openAs(failing, 2), 1), /EIO/);
});

test('another writer won while the reply was lost: its entry is read and built upon', async () => {
  const store = await emptyStore();
  const rival = await openAs(store, 3);
  let fail = true;
  const losing: ObjectStore = Object.assign(Object.create(store), {
    async create(name: string, body: readonly Uint8Array[]) {
      if (!fail || !name.startsWith('lineage/')) return await store.create(name, body);
      fail = false;
      await count(rival, 1);
      throw new Error('connection reset');
    },
  });
  bindAll(losing, store);
  const lineage = await openAs(losing, 2);
  await count(lineage, 1);
  assert.equal(lineage.state.get('counter/n'), 2);
  assert.equal(lineage.seq, 1);
});

test('the state is stored with every 256th entry, and opening reads no entry before it', async () => {
  const store = await emptyStore();
  const lineage = await openAs(store, 2);
  await count(lineage, 256);
  assert.equal(lineage.stateSeq, -1);
  await count(lineage, 1);
  assert.equal(lineage.stateSeq, 256);
  await count(lineage, 256);
  assert.equal(lineage.stateSeq, 512);
  for (let seq = 0; seq < 512; seq++) await store.remove(entryName('aa', seq));
  assert.equal((await openAs(store, 3)).state.get('counter/n'), 513);
});

test('the state is stored once 1 MiB of entries has gathered', async () => {
  const lineage = await openAs(await emptyStore(), 2);
  const random = new SeededRandom(5);
  const add = (): Promise<unknown> =>
    lineage.commit((draft): undefined => void draft.attach(random.bytes(300_000)));
  for (let i = 0; i < 4; i++) await add();
  assert.equal(lineage.stateSeq, -1);
  await add();
  assert.equal(lineage.stateSeq, 4);
});

test('a chain with another entry in the middle is refused', async () => {
  const [store, other] = [await emptyStore(), await emptyStore()];
  await count(await openAs(store, 2), 3);
  await count(await openAs(other, 9), 3);
  const name = entryName('aa', 1);
  const foreign = await other.get(name);
  await store.remove(name);
  await store.create(name, [foreign]);
  await assert.rejects(openAs(store, 3), { code: 'lineage-broken' });
});

test('a missing entry is refused, and named', async () => {
  const store = await emptyStore();
  await count(await openAs(store, 2), 3);
  await store.remove(entryName('aa', 1));
  await assert.rejects(openAs(store, 3), { code: 'lineage-broken', object: entryName('aa', 1) });
});

test('a writer that wakes below the boundary is told that its entry is no commit', async () => {
  const store = await emptyStore();
  const sleeper = await openAs(store, 2);
  const repository = await openFixture(store, { seed: 3 });
  const context = { store, keys: repository.unlocked.keys };
  await createMutable(context, { what: 'boundary', id: 'aa', n: 0 }, { seq: 7 });
  await assert.rejects(count(sleeper, 1), { code: 'lease-lost' });
});

test('a boundary that moves while it is looked for is found, and the commit stands', async () => {
  const store = await emptyStore();
  const context = { store, keys: (await openFixture(store, { seed: 3 })).unlocked.keys };
  const place = { what: 'boundary', id: 'aa' };
  await count(await openAs(store, 4), 3);
  await createMutable(context, { ...place, n: 0 }, { seq: 1 });
  const moving: ObjectStore = Object.assign(Object.create(store), {
    create: store.create.bind(store),
  });
  bindAll(moving, store);
  let lists = 0;
  moving.list = async function* (prefix) {
    if (!prefix.startsWith('mutable/boundary/')) return yield* store.list(prefix);
    lists++;
    // A list that runs while both objects change may show neither.
    if (lists === 2 || lists === 4) return;
    yield* store.list(prefix);
    if (lists > 1) return;
    await createMutable(context, { ...place, n: 1 }, { seq: 2 });
    await removeMutable(context, { ...place, n: 0 });
  };
  const lineage = await openAs(moving, 2);
  await count(lineage, 1);
  assert.deepEqual([lineage.seq, lists], [3, 3]);
  await count(lineage, 1);
  assert.deepEqual([lineage.seq, lists], [4, 5]);
});

test('when the boundary cannot be read, the entry is said to be stored and counts afterwards', async () => {
  const store = await emptyStore();
  let fail = false;
  const failing: ObjectStore = Object.assign(Object.create(store), {
    create: store.create.bind(store),
  });
  bindAll(failing, store);
  failing.list = (prefix) => {
    if (fail && prefix.startsWith('mutable/')) throw new CodrError('store-unreachable', 'lost');
    return store.list(prefix);
  };
  const lineage = await openAs(failing, 2);
  fail = true;
  await assert.rejects(count(lineage, 1), /entry 0 of aa is stored/);
  fail = false;
  await count(lineage, 1);
  assert.deepEqual([lineage.seq, lineage.state.get('counter/n')], [1, 2]);
});

test('a value that is removed while it is looked for is not there', async () => {
  const store = await emptyStore();
  const context = { store, keys: (await openFixture(store, { seed: 3 })).unlocked.keys };
  const place = { what: 'pin', id: 'aa', n: 0 };
  await createMutable(context, place, {});
  const vanishing: ObjectStore = Object.create(store);
  bindAll(vanishing, store);
  vanishing.stat = async (name) => {
    const stat = await store.stat(name);
    await store.remove(name);
    return stat;
  };
  vanishing.get = async (name) => {
    await store.remove(name);
    return await store.get(name);
  };
  assert.equal(await readMutable({ ...context, store: vanishing }, place), undefined);
});

test('a store that lists what it does not give is no reason to ask for ever', async () => {
  const store = await emptyStore();
  const { keys } = (await openFixture(store, { seed: 3 })).unlocked;
  await createMutable({ store, keys }, { what: 'boundary', id: 'aa', n: 0 }, { seq: 0 });
  const ghostly: ObjectStore = Object.create(store);
  bindAll(ghostly, store);
  ghostly.get = async (name) => {
    throw new CodrError('object-missing', name);
  };
  const read = newestMutable({ store: ghostly, keys }, { what: 'boundary', id: 'aa' });
  await assert.rejects(read, { code: 'store-unreachable' });
});

test('a feature of writing that is not known refuses commits and sessions, not reading', async () => {
  const store = await emptyStore();
  await count(await openAs(store, 2), 1);
  const repository = await openFixture(store, { seed: 3 });
  (repository.config.features.write as string[]).push('delta');
  const lineage = await repository.openLineage('aa');
  assert.equal(lineage.state.get('counter/n'), 1);
  await assert.rejects(count(lineage, 1), { code: 'format-unknown' });
  assert.throws(() => repository.session(), { code: 'format-unknown' });
});

test('a reader whose next entry was deleted reads the newest state', async () => {
  const store = await emptyStore();
  const writer = await openAs(store, 2);
  await count(writer, 1);
  const sleeper = await openAs(store, 3);
  await count(writer, 5);
  await writer.commit(() => undefined, { withState: true });
  for (let seq = 0; seq < 6; seq++) await store.remove(entryName('aa', seq));
  const { unlocked } = await openFixture(store, { seed: 4 });
  const place = { what: 'boundary', id: 'aa', n: 0 };
  await createMutable({ store, keys: unlocked.keys }, place, { seq: 6 });
  assert.equal(await sleeper.refresh(), true);
  assert.equal(sleeper.state.get('counter/n'), 6);
});

test('a reader that cannot read the newest state goes on seeing what it had read', async () => {
  const memory = await emptyStore();
  const store = new FaultyObjectStore(memory, { random: new SeededRandom(1), clock: testClock });
  const writer = await openAs(memory, 2);
  await count(writer, 1);
  const sleeper = await openAs(store, 3);
  await count(writer, 5);
  await writer.commit(() => undefined, { withState: true });
  for (let seq = 0; seq < 6; seq++) await memory.remove(entryName('aa', seq));
  const { unlocked } = await openFixture(memory, { seed: 4 });
  const place = { what: 'boundary', id: 'aa', n: 0 };
  await createMutable({ store: memory, keys: unlocked.keys }, place, { seq: 6 });
  store.get = async (name, range) => {
    if (name === entryName('aa', 6)) throw new CodrError('store-unreachable', 'made by a test');
    return await memory.get(name, range);
  };
  await assert.rejects(sleeper.refresh(), { code: 'store-unreachable' });
  assert.deepEqual([sleeper.seq, sleeper.state.get('counter/n')], [0, 1]);
});

test('an entry that would hold a condemned pack is refused, however it came by it', async () => {
  const store = await emptyStore();
  const repository = await openFixture(store, { seed: 2 });
  const lineage = await repository.openLineage('aa');
  const session = repository.session();
  await session.sink.put('leaf', [bytesOf('some content')]);
  const used = await session.flush();
  let packs = '';
  await lineage.commit((draft): undefined => {
    packs = String(usePacks(draft, used));
    draft.set('segment/s/00', { packs });
  });
  await lineage.commit((draft): undefined => draft.set('segment/s/00', null) as undefined);
  const ids = used.newPacks.map(({ id }) => id);
  await lineage.commit((draft): undefined => {
    draft.set('condemned/000000000000', { packs: ids, seq: draft.seq } satisfies CondemnedRecord);
  });
  const again = lineage.commit((draft): undefined => draft.set('base/b/0', { packs }) as undefined);
  await assert.rejects(again, (error) => error instanceof CondemnedPacksError);
  const asked = lineage.commit((draft): undefined => void usePacks(draft, used));
  await assert.rejects(asked, (error: CondemnedPacksError) => error.packs[0] === ids[0]);
  await lineage.commit(
    (draft): undefined => draft.set('condemned/000000000000', null) as undefined,
  );
  await lineage.commit((draft): undefined => draft.set('base/b/0', { packs }) as undefined);
  await lineage.commit((draft): undefined => draft.set(packKey(0), null) as undefined);
  const gone = lineage.commit((draft): undefined => draft.set('base/c/0', { packs }) as undefined);
  await assert.rejects(gone, (error) => error instanceof CondemnedPacksError);
});

const claimOptions = (claim: string, pid: number): ClaimOptions => ({
  probe: { ...probe, self: { ...self, pid } },
  clock: testClock,
  tickMs: 1000,
  claim,
  signal: new AbortController().signal,
});

test('a second writer is told who the first is', async () => {
  const store = await emptyStore();
  await claimWriter(await openAs(store, 2), claimOptions('one', 100));
  await assert.rejects(claimWriter(await openAs(store, 3), claimOptions('two', 101)), (error) => {
    assert.match(String(error), /process 100 on here is writing/);
    return (error as { code: string }).code === 'busy';
  });
});

test('of a peer its name is told beside its process', () => {
  assert.equal(nameOf({ ...self, pid: 7 }), 'process 7 on here');
  assert.equal(nameOf({ ...self, pid: 7, peer: 'n 3 1795819396' }), 'peer n 3 (process 7 on here)');
});

test('a dead writer of the same host is taken over at once, and knows it when it wakes', async () => {
  const store = await emptyStore();
  const first = await openAs(store, 2);
  // Pid 7 is not alive by the probe.
  const dead = await claimWriter(first, claimOptions('one', 7));
  const waits: number[] = [];
  const clock = { ...testClock, sleep: async (ms: number) => void waits.push(ms) };
  const second = await openAs(store, 3);
  const claim = await claimWriter(second, { ...claimOptions('two', 100), clock });
  assert.deepEqual(waits, []);
  claim.check(second.state);
  await first.refresh();
  assert.throws(() => dead.check(first.state), { code: 'lease-lost' });
  await dead.release();
  claim.check(second.state);
});

test('a process whose release failed takes up its own claim again, and no other', async () => {
  const inner = await emptyStore();
  const clock = { ...testClock, sleep: async () => {} };
  const store = new FaultyObjectStore(inner, { random: new SeededRandom(1), clock });
  const first = await claimWriter(await openAs(store, 2), claimOptions('first', 100));
  store.diskFull = true;
  await assert.rejects(() => first.release(), /ENOSPC/);
  store.diskFull = false;
  await claimWriter(await openAs(store, 3), claimOptions('second', 100));
  await assert.rejects(claimWriter(await openAs(store, 4), claimOptions('third', 100)), {
    code: 'busy',
  });
});

test('a writer of another host is taken over after three ticks of silence', async () => {
  const store = await emptyStore();
  const away = { ...self, host: 'elsewhere', pid: 1 };
  const first = claimOptions('one', 1);
  await claimWriter(await openAs(store, 2), { ...first, probe: { ...probe, self: away } });
  const waits: number[] = [];
  const clock = { ...testClock, sleep: async (ms: number) => void waits.push(ms) };
  await claimWriter(await openAs(store, 3), { ...claimOptions('two', 100), clock });
  assert.deepEqual(waits, [3000]);
});

/** Methods with private fields need their own object. */
function bindAll(derived: ObjectStore, store: ObjectStore): void {
  for (const name of ['get', 'stat', 'list', 'listFolders', 'remove'] as const) {
    Object.assign(derived, { [name]: (store[name] as () => unknown).bind(store) });
  }
}
