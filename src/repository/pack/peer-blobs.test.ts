import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { ByteRange } from '../../storage/object-store.ts';
import type { BlobStore } from './blob-store.ts';
import type { LeafExchange } from './leaf-questions.ts';
import { namesIn, openBlobStore } from './pack-fixture.ts';
import type { PackRef } from './pack-format.ts';

const slotCount = 4096;
const indexEntriesMax = 40;
/** The first half is this peer's, the other one that of others. */
const lower = Uint8Array.from({ length: slotCount }, (_, slot) => (slot < 2048 ? 1 : 0));

/** Counts what is read of the index. */
class CountingStore extends MemoryObjectStore {
  indexReads = 0;

  override async get(name: string, range?: ByteRange): Promise<Uint8Array> {
    if (name.startsWith('index/')) this.indexReads++;
    return await super.get(name, range);
  }
}

const leavesOf = (seed: number, count: number): Uint8Array[] => {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () => random.bytes(200));
};

/** Leaves in packs of their own, and an index that is cut by leading byte; both as another process left them. */
async function storedLeaves() {
  const store = new CountingStore();
  const blobs = await openBlobStore(store, { indexEntriesMax });
  const leaves: Uint8Array[] = [];
  const packs: PackRef[] = [];
  for (let seed = 1; seed <= 8; seed++) {
    const some = leavesOf(seed, 40);
    const session = blobs.session();
    await session.put('leaf', some);
    packs.push(...(await session.flush()).newPacks);
    leaves.push(...some);
  }
  return { store, leaves, packs };
}

/** A peer that owns the lower slots, with others that answer as `ask` does. */
async function peerOver(
  store: MemoryObjectStore,
  ask: LeafExchange['ask'],
  isCommitted: (pack: PackRef) => boolean,
): Promise<BlobStore> {
  const blobs = await openBlobStore(store, { indexEntriesMax, owned: () => lower });
  const exchange: LeafExchange = { ask, committed: () => {} };
  blobs.askOthers({ exchange, clock: new ManualClock(), patienceMs: 0, isCommitted });
  return blobs;
}

test('a peer that stores asks the index for its own slots alone, and others for the rest', async () => {
  const { store, leaves, packs } = await storedLeaves();
  const asked: number[] = [];
  const blobs = await peerOver(
    store,
    async (ids) => {
      asked.push(...ids.map(([first]) => first as number));
      return ids.map(() => packs[0]);
    },
    () => false,
  );
  blobs.committed(packs.map(({ id }) => id));
  const session = blobs.session({ startedAtMs: 1 });
  await session.put('leaf', leaves);
  assert.ok(asked.length > 100);
  // Bytes about the middle stand in an object that has both.
  assert.ok(asked.every((byte) => byte >= 128));
  assert.deepEqual((await session.flush()).newPacks, []);
  for (const object of blobs.parts.index.objects.values()) {
    if (object.header.firstByte >= 128) assert.equal(object.searchedAtMs, Number.NEGATIVE_INFINITY);
  }
});

test('while nobody answers the whole index is asked, for what any source has committed', async () => {
  const { store, leaves, packs } = await storedLeaves();
  const known = new Set(packs.slice(0, 6).map(({ id }) => id));
  const blobs = await peerOver(
    store,
    async (ids) => ids.map(() => 'unanswered' as const),
    ({ id }) => known.has(id),
  );
  blobs.forget([(packs[5] as PackRef).id]);
  const session = blobs.session({ startedAtMs: 1 });
  await session.put('leaf', leaves);
  const { newPacks, reusedPacks } = await session.flush();
  assert.equal(
    newPacks.reduce((sum, { leaves: count }) => sum + count, 0),
    3 * 40,
  );
  assert.deepEqual(
    reusedPacks.map(({ id }) => id).sort(),
    packs
      .slice(0, 5)
      .map(({ id }) => id)
      .sort(),
  );
  assert.ok((await namesIn(store, 'packs/')).length > packs.length);
});
