// A frame that one session gathers and another's flush cuts: the first still owes its pack to its commit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeafId } from '../../model/id.ts';
import { wholeRange } from '../../model/key-range.ts';
import type { DataRecord } from '../../model/record.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import { collect } from '../collect/collect.ts';
import {
  createFixture,
  openFixture,
  probe,
  registerSource,
  testClock,
} from '../collect/repository-fixture.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { usePacks } from '../lineage/pack-table.ts';
import { type Repository, type RepositorySession, repositoryLineage } from '../repository.ts';
import { joinParts } from '../tree/join.ts';
import { buildRange } from '../tree/range-builder.ts';
import { readTree } from '../tree/tree-reader.ts';
import type { TreeRoot } from '../tree/tree-root.ts';
import type { UsedPacks } from './blob-session.ts';
import { openBlobStore } from './pack-fixture.ts';

const shared = Buffer.from('a leaf of both');
const own = Buffer.from('a leaf of one');

test('a session lists the pack of its frame that another session cut', async () => {
  const blobs = await openBlobStore();
  const [a, b] = [blobs.session(), blobs.session()];
  const [id] = await a.put('leaf', [shared]);
  await b.put('leaf', [shared]);
  await b.flush();
  await a.put('leaf', [own]);
  const { newPacks, reusedPacks } = await a.flush();
  const [at] = await blobs.parts.index.lookup([id as LeafId]);
  const listed = [...newPacks, ...reusedPacks].map((pack) => pack.id);
  assert.ok(at && listed.includes(at.pack.id));
  assert.equal(listed.length, 2);
});

test('a session fails when the pack of its frame, which another session cut, was not stored', async () => {
  const store = new FullStore();
  const blobs = await openBlobStore(store);
  const [a, b] = [blobs.session(), blobs.session()];
  await a.put('leaf', [shared]);
  await b.put('leaf', [shared]);
  await assert.rejects(b.flush(), /no space/);
  store.isFull = false;
  await a.put('leaf', [own]);
  await assert.rejects(a.flush(), /no space/);
});

test('what a session gathered beside another outlives the collection of the other', async () => {
  const store = new MemoryObjectStore();
  await createFixture(store, 1);
  const repository = await openFixture(store, { seed: 2 });
  const lineage = await registerSource(repository, 'ab'.repeat(16));
  const [a, b] = [repository.session(), repository.session()];
  const first = await treeOf(a, 'important');
  await treeOf(a);
  await treeOf(b);
  await commit(repository, lineage, 'base/b/1', await b.flush());
  const second = await treeOf(a, 'other');
  await commit(repository, lineage, 'base/a/1', await a.flush());
  await lineage.commit((draft): undefined => draft.set('base/b/1', null) as undefined);
  const collector = await openFixture(store, { seed: 3 });
  await collect({
    repository: collector,
    lineage: await collector.openLineage(repositoryLineage),
    clock: testClock,
    probe,
    signal: new AbortController().signal,
  });
  const reader = await openFixture(store, { seed: 4 });
  assert.deepEqual(await valuesOf(reader, first), ['important']);
  assert.deepEqual(await valuesOf(reader, second), ['other']);
});

/** Stores no data pack while it is full. */
class FullStore extends MemoryObjectStore {
  isFull = true;

  override async create(name: string, body: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    if (this.isFull && name.startsWith('packs/d/')) throw new Error('no space');
    return await super.create(name, body);
  }
}

/** A dataset of one record a value. */
async function treeOf(session: RepositorySession, ...values: string[]): Promise<TreeRoot> {
  async function* records(): AsyncGenerator<readonly DataRecord[]> {
    if (values.length > 0)
      yield values.map((value) => ({ key: Buffer.from(value), value: Buffer.from(value) }));
  }
  return await joinParts([await buildRange(records(), session.tree())], session.tree());
}

async function commit(
  repository: Repository,
  lineage: Lineage,
  key: string,
  used: UsedPacks,
): Promise<void> {
  await lineage.commit(
    (draft): undefined => draft.set(key, { packs: String(usePacks(draft, used)) }) as undefined,
  );
  repository.committed(used);
}

async function valuesOf(repository: Repository, tree: TreeRoot): Promise<string[]> {
  const values: string[] = [];
  for await (const batch of readTree(repository.source, tree, wholeRange)) {
    for (const { value } of batch) values.push(Buffer.from(value).toString());
  }
  return values;
}
