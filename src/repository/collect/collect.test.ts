import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { toHex } from '../../base/bytes.ts';
import type { LeafId, PackId } from '../../model/id.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { createMutable } from '../lineage/mutable.ts';
import { CondemnedPacksError, retainedPackIds, usePacks } from '../lineage/pack-table.ts';
import type { RunRecord } from '../lineage/records.ts';
import { type Repository, repositoryLineage } from '../repository.ts';
import { type CollectOutcome, collect, planCollection } from './collect.ts';
import { dayMs } from './collect-context.ts';
import { adoptCondemned, barrierAt, condemnedIn } from './condemned.ts';
import type { PinRecord } from './pins.ts';
import { createFixture, openFixture, probe, registerSource, self } from './repository-fixture.ts';

const clock = { nowMs: 0, now: () => clock.nowMs, monotonic: () => 0, sleep: async () => {} };
let store: MemoryObjectStore;
let repository: Repository;
let source: Lineage;

beforeEach(async () => {
  clock.nowMs = 1_800_000_000_000;
  store = new MemoryObjectStore(clock);
  await createFixture(store, 1);
  repository = await openFixture(store, { seed: 2, clock });
  source = await registerSource(repository, 'aa');
});

/** Commits a version of one blob; returns the blob's id and the packs. */
async function commit(
  name: string,
  content: string,
  by: { repository: Repository; source: Lineage } = { repository, source },
): Promise<{ id: LeafId; packs: PackId[] }> {
  const session = by.repository.session();
  const [id] = await session.sink.put('leaf', [Buffer.from(content, 'utf8')]);
  const used = await session.flush();
  await by.source.commit((draft): undefined => {
    draft.set(`base/${name}/0`, { packs: String(usePacks(draft, used)) });
  });
  by.repository.committed(used);
  const packs = [...used.newPacks, ...used.reusedPacks].map((pack) => pack.id);
  return { id: id as LeafId, packs };
}

async function drop(name: string): Promise<void> {
  await source.commit((draft): undefined => draft.set(`base/${name}/0`, null) as undefined);
}

/** As a process that starts now. */
async function run(seed: number, how = collect, over = store): Promise<CollectOutcome> {
  const opened = await openFixture(over, { seed, clock });
  const lineage = await opened.openLineage(repositoryLineage);
  const { signal } = new AbortController();
  return await how({ repository: opened, lineage, clock, probe, signal });
}

async function packNames(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list('packs/')) names.push(name.slice(-64));
  return names.sort();
}

async function pin(record: Partial<PinRecord>): Promise<void> {
  const value: PinRecord = {
    lineage: 'aa',
    holder: self,
    sinceMs: clock.nowMs,
    seq: source.seq,
    ...record,
  };
  const context = { store, keys: repository.unlocked.keys };
  await createMutable(context, { what: 'pin', id: `pin-${clock.nowMs}`, n: 0 }, value);
}

test('what is dropped is freed with its index entries and records; what is kept stays', async () => {
  const kept = await commit('kept', 'content that stays');
  const gone = await commit('gone', 'content that goes');
  await drop('gone');
  const { packsExamined, packsRemoved, bytesFreed, heldBy } = await run(3);
  assert.deepEqual([packsExamined, packsRemoved, heldBy], [2, 1, []]);
  assert.ok(bytesFreed > 0);
  assert.deepEqual(await packNames(), kept.packs);
  const fresh = await openFixture(store, { seed: 4 });
  assert.deepEqual([...(await fresh.index.packs()).keys()], kept.packs);
  const { state } = await fresh.openLineage('aa');
  assert.equal(state.ordinalOf(gone.packs[0] as PackId), undefined);
  assert.equal(toHex((await fresh.source.get('leaf', [kept.id]))[0] as Uint8Array).length, 36);
  await assert.rejects(fresh.source.get('leaf', [gone.id]), { code: 'object-missing' });
});

test('a dry run counts and changes nothing', async () => {
  await commit('gone', 'content that goes');
  await drop('gone');
  const before = await packNames();
  const [entries, plan] = [source.seq, await run(3, planCollection)];
  assert.deepEqual([plan.packsExamined, plan.packsRemoved], [1, 1]);
  assert.deepEqual(await packNames(), before);
  await source.refresh();
  assert.equal(source.seq, entries);
});

test('a second collection finds nothing and writes nothing', async () => {
  await commit('gone', 'content that goes');
  await drop('gone');
  await run(3);
  const own = await repository.openLineage(repositoryLineage);
  await source.refresh();
  const before = [own.seq, source.seq];
  assert.equal((await run(4)).packsRemoved, 0);
  await own.refresh();
  await source.refresh();
  assert.deepEqual([own.seq, source.seq], before);
});

test('a stale known answer is void: a freed pack is never used again', async () => {
  const first = await commit('gone', 'content that goes');
  // Asking for it brings the index into this process.
  assert.deepEqual((await commit('more', 'content that goes')).packs, first.packs);
  await drop('gone');
  await drop('more');
  await run(3);
  // This process still believes that the pack is there.
  await assert.rejects(commit('again', 'content that goes'), (error: CondemnedPacksError) => {
    assert.deepEqual(error.packs, first.packs);
    repository.forget(error.packs);
    return true;
  });
  const second = await commit('again', 'content that goes');
  assert.notDeepEqual(second.packs, first.packs);
});

test('a pack that nobody committed goes after a day, not before', async () => {
  const session = repository.session();
  await session.sink.put('leaf', [Buffer.from('never committed', 'utf8')]);
  await session.flush();
  clock.nowMs += dayMs - 1000;
  assert.equal((await run(3)).packsRemoved, 0);
  clock.nowMs += 2000;
  assert.equal((await run(4)).packsRemoved, 1);
  assert.deepEqual((await (await openFixture(store, { seed: 5 })).index.packs()).size, 0);
});

test('a reader from before the barrier holds the packs and is named; its end frees them', async () => {
  await commit('gone', 'content that goes');
  await pin({});
  await drop('gone');
  const held = await run(3);
  assert.equal(held.packsRemoved, 0);
  assert.match(held.heldBy.join(), /process 100 on here reads aa/);
  assert.equal((await packNames()).length, 1);
  await store.remove(`mutable/pin/pin-${clock.nowMs}/00000000`);
  assert.equal((await run(4)).packsRemoved, 1);
});

test('a reader that began after the barrier holds nothing back', async () => {
  await commit('gone', 'content that goes');
  await drop('gone');
  await pin({ seq: source.seq + 1 });
  assert.deepEqual((await run(3)).heldBy, []);
});

test('the pin of a dead process is removed, that of another host counts for a day', async () => {
  await commit('gone', 'content that goes');
  await pin({ holder: { ...self, pid: 1 } });
  clock.nowMs += 1;
  await pin({ holder: { ...self, host: 'elsewhere' } });
  await drop('gone');
  assert.equal((await run(3)).heldBy.length, 1);
  assert.equal(await store.stat(`mutable/pin/pin-${clock.nowMs - 1}/00000000`), undefined);
  clock.nowMs += dayMs + 1;
  assert.deepEqual((await run(4)).heldBy, []);
});

test('a removed source frees what only it held, and its lineage goes', async () => {
  const other = await registerSource(repository, 'bb');
  const shared = await commit('shared', 'content of both');
  await commit('shared', 'content of both', { repository, source: other });
  await commit('own', 'content of one');
  const own = await repository.openLineage(repositoryLineage);
  await own.commit((draft): undefined => draft.set('source/aa', null) as undefined);
  assert.equal((await run(3)).packsRemoved, 1);
  assert.deepEqual(await packNames(), shared.packs);
  assert.deepEqual(await store.listFolders('lineage/'), ['bb', 'repository']);
  await assert.rejects(commit('late', 'a writer that wakes'), { code: 'lease-lost' });
});

test('a source that is just being added is not taken for a removed one', async () => {
  const own = await repository.openLineage(repositoryLineage);
  await adoptCondemned(await repository.openLineage('cc'), own.state);
  await run(3);
  assert.deepEqual(await store.listFolders('lineage/'), ['aa', 'cc', 'repository']);
  clock.nowMs += dayMs + 1;
  await run(4);
  assert.deepEqual(await store.listFolders('lineage/'), ['aa', 'repository']);
});

test('a list that comes while a source is being registered binds the source', async () => {
  const gone = await commit('gone', 'content that goes');
  await drop('gone');
  const own = await repository.openLineage(repositoryLineage);
  let condemned = false;
  const late = await repository.openLineage('cc');
  const rival = await repository.openLineage(repositoryLineage);
  await own.commit(async (draft): Promise<undefined> => {
    await adoptCondemned(late, draft);
    if (!condemned) {
      condemned = true;
      await rival.commit((other): undefined => {
        other.set('condemned/000000000001', barrierAt(other, gone.packs));
      });
    }
    draft.set('source/cc', { name: 'cc' });
  });
  assert.deepEqual(condemnedIn(late.state, '000000000001')?.packs, gone.packs);
  const used = {
    newPacks: [],
    reusedPacks: [{ id: gone.packs[0] as PackId, kind: 'd' as const, bytes: 1, leaves: 1 }],
  };
  const use = late.commit((draft): undefined => void usePacks(draft, used));
  await assert.rejects(use, (error) => error instanceof CondemnedPacksError);
});

test('what a check gave up before a source is registered binds the source', async () => {
  const { packs } = await commit('base', 'content that rots');
  const own = await repository.openLineage(repositoryLineage);
  await own.commit((draft): undefined => draft.set(`lost/${packs[0]}`, {}) as undefined);
  const late = await registerSource(repository, 'cc');
  // This process has not heard of it: to it the pack is committed, and holds what the late source has too.
  const relying = commit('late', 'content that rots', { repository, source: late });
  await assert.rejects(relying, (error) => error instanceof CondemnedPacksError);
});

test('a spared pack may be used again once the list is decided', async () => {
  const other = await registerSource(repository, 'bb');
  const kept = await commit('kept', 'content of both');
  const own = await repository.openLineage(repositoryLineage);
  await own.commit((draft): undefined => {
    draft.set('condemned/000000000009', { packs: kept.packs, seq: draft.seq });
  });
  await run(3);
  await other.refresh();
  assert.equal(condemnedIn(other.state, '000000000009'), undefined);
  await commit('shared', 'content of both', { repository, source: other });
  assert.deepEqual([...retainedPackIds(other.state)], kept.packs);
});

test('a process that must not rely on a pack can still read it while it is there', async () => {
  const kept = await commit('kept', 'content that stays');
  repository.forget(kept.packs);
  const [blob] = await repository.source.get('leaf', [kept.id]);
  assert.equal(Buffer.from(blob as Uint8Array).toString(), 'content that stays');
});

test('entries below the newest stored state go, but not those with a run that is open', async () => {
  await source.commit((draft): undefined => void draft.attach(Buffer.from('a run')));
  const runSeq = source.seq;
  const run0 = { ref: '', seq: runSeq, offset: 0, length: 5, packs: '' };
  await source.commit((draft): undefined => draft.set('run/000000000000', run0) as undefined);
  for (let i = 0; i < 70; i++) await drop(`none-${i}`);
  await run(3);
  const entries = async (): Promise<number> => {
    for await (const { name } of store.list('lineage/aa/')) return Number(name.slice(-12));
    return -1;
  };
  assert.equal(await entries(), runSeq);
  await source.refresh();
  assert.equal(Buffer.from(await source.attachments(runSeq)).toString(), 'a run');
  await source.commit((draft): undefined => draft.set('run/000000000000', null) as undefined);
  await run(4);
  await source.refresh();
  assert.equal(await entries(), source.stateSeq);
  assert.ok(source.stateSeq > 70);
});

test('a run that nobody merges away holds no entries for ever: it is carried along', async () => {
  await source.commit((draft): undefined => {
    const offset = draft.attach(Buffer.from('a run'));
    draft.set('run/000000000000', { ref: 'r', seq: draft.seq, offset, length: 5, packs: '' });
  });
  const runSeq = source.seq;
  for (let i = 0; i < 70; i++) await drop(`none-${i}`);
  const lineage = await repository.openLineage(repositoryLineage);
  const { signal } = new AbortController();
  const context = { repository, lineage, clock, probe, signal, entriesHeldMax: 50 };
  const first = async (): Promise<number> => {
    for await (const { name } of store.list('lineage/aa/')) return Number(name.slice(-12));
    return -1;
  };
  await collect(context);
  assert.equal(await first(), runSeq, 'who has not heard of it yet reads it where it was');
  await collect(context);
  await source.refresh();
  const { seq, offset, length } = source.state.get('run/000000000000') as Required<RunRecord>;
  assert.deepEqual([await first(), seq > 70], [source.stateSeq, true]);
  const bytes = (await source.attachments(seq)).subarray(offset, offset + length);
  assert.equal(Buffer.from(bytes).toString(), 'a run');
});

for (const name of ['aa', 'repository']) {
  test(`nothing is deleted while every entry of lineage ${name} is missing`, async () => {
    await commit('kept', 'content that stays');
    clock.nowMs += 2 * dayMs;
    const names = await Array.fromAsync(store.list(`lineage/${name}/`), (one) => one.name);
    for (const entry of names) await store.remove(entry);
    const refused = { code: 'lineage-broken', object: `lineage/${name}/` };
    await assert.rejects(run(3), refused);
    await assert.rejects(run(4, planCollection), refused);
    assert.equal((await packNames()).length, 1);
    // What is put back must find its place free.
    assert.deepEqual(await Array.fromAsync(store.list(`lineage/${name}/`)), []);
  });
}

test('what a writer begins over a lineage that is gone does not make its packs garbage', async () => {
  await commit('kept', 'content that stays');
  clock.nowMs += 2 * dayMs;
  for await (const { name } of store.list('lineage/aa/')) await store.remove(name);
  const late = await repository.openLineage('aa');
  await commit('fresh', 'content of a new history', { repository, source: late });
  await assert.rejects(run(3), { code: 'lineage-broken' });
  assert.equal((await packNames()).length, 2);
});

test('a list that another collection made while packs were listed is left to the next one', async () => {
  const over: MemoryObjectStore = Object.create(store);
  for (const name of ['create', 'get', 'stat', 'listFolders', 'remove'] as const) {
    Object.assign(over, { [name]: (store[name] as () => unknown).bind(store) });
  }
  let isMade = false;
  over.list = async function* (prefix) {
    yield* store.list(prefix);
    if (prefix !== 'packs/' || isMade) return;
    isMade = true;
    const { packs } = await commit('gone', 'stored and let go since');
    await drop('gone');
    const rival = await repository.openLineage(repositoryLineage);
    await rival.commit((draft): undefined => {
      draft.set(`condemned/${String(draft.seq).padStart(12, '0')}`, barrierAt(draft, packs));
    });
  };
  await run(3, collect, over);
  await run(4);
  assert.deepEqual(await packNames(), []);
});

test('a pack that a late repetition of its upload brings back goes again', async () => {
  const { packs } = await commit('gone', 'content that goes');
  const name = `packs/d/${packs[0]?.slice(0, 2)}/${packs[0]}`;
  const bytes = await store.get(name);
  await drop('gone');
  await run(3);
  await store.create(name, [bytes]);
  assert.deepEqual([(await run(4)).packsRemoved, await packNames()], [1, []]);
});

test('the pin that a living process did not take away holds for a week', async () => {
  await commit('gone', 'content that goes');
  await pin({});
  await drop('gone');
  clock.nowMs += 6 * dayMs;
  assert.equal((await run(3)).heldBy.length, 1);
  clock.nowMs += dayMs + 1;
  assert.deepEqual((await run(4)).heldBy, []);
  assert.deepEqual(await store.listFolders('mutable/pin/'), []);
});

test('a feature of deleting that is not known refuses a collection, not its plan', async () => {
  await commit('gone', 'content that goes');
  await drop('gone');
  const lineage = await repository.openLineage(repositoryLineage);
  (repository.config.features.delete as string[]).push('legal-hold');
  const context = { repository, lineage, clock, probe, signal: new AbortController().signal };
  await assert.rejects(collect(context), { code: 'format-unknown' });
  assert.equal((await planCollection(context)).packsRemoved, 1);
});

test('a feature that a later version has switched on since is required as one of the config', async () => {
  const own = await repository.openLineage(repositoryLineage);
  const raise = async (use: string): Promise<unknown> =>
    await own.commit((draft): undefined => draft.set(`feature/${use}/later`, {}) as undefined);
  await raise('delete');
  await assert.rejects(run(3), { code: 'format-unknown', facts: { unknown: ['later'] } });
  await raise('write');
  const late = await openFixture(store, { seed: 4 });
  await late.openLineage(repositoryLineage);
  assert.throws(() => late.session(), { code: 'format-unknown' });
  await raise('read');
  await assert.rejects(late.openLineage(repositoryLineage), { code: 'format-unknown' });
});
