import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { testSeed } from '../../../test/harness/seed.ts';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { type LeafId, leafId, packId } from '../../model/id.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { ByteRange } from '../../storage/object-store.ts';
import type { BlobLocation } from '../index/page-search.ts';
import type { BlobStore } from './blob-store.ts';
import type { LeafExchange } from './leaf-questions.ts';
import { namesIn, openBlobStore } from './pack-fixture.ts';
import { type PackRef, packName } from './pack-format.ts';

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
  const ids: LeafId[] = [];
  const packs: PackRef[] = [];
  for (let seed = 1; seed <= 8; seed++) {
    const some = leavesOf(seed, 40);
    const session = blobs.session();
    ids.push(...(await session.put('leaf', some)));
    packs.push(...(await session.flush()).newPacks);
    leaves.push(...some);
  }
  return { store, leaves, ids, packs };
}

const nobodyAnswers: LeafExchange['ask'] = async (ids) => ids.map(() => 'unanswered');
const nobodyKnows: LeafExchange['where'] = async (ids) => ids.map(() => undefined);

/** A peer that owns the lower slots, with others that answer as `ask` and `where` do. */
async function peerOver(
  store: MemoryObjectStore,
  { ask = nobodyAnswers, where = nobodyKnows }: Partial<LeafExchange>,
  isCommitted: (pack: PackRef) => boolean = () => false,
): Promise<BlobStore> {
  const blobs = await openBlobStore(store, { indexEntriesMax, owned: () => lower });
  const exchange: LeafExchange = { ask, where, committed: () => {} };
  blobs.askOthers({ exchange, clock: new ManualClock(), patienceMs: 0, isCommitted });
  return blobs;
}

test('a peer that stores asks the index for its own slots alone, and others for the rest', async () => {
  const { store, leaves, packs } = await storedLeaves();
  const asked: number[] = [];
  const ask: LeafExchange['ask'] = async (ids) => {
    asked.push(...ids.map(([first]) => first as number));
    return ids.map(() => packs[0]);
  };
  const blobs = await peerOver(store, { ask });
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

test('a pack that others name and the store does not have is relied on by nobody', async () => {
  const store = new MemoryObjectStore();
  const named: PackRef = { id: packId('ef'.repeat(32)), kind: 'd', bytes: 9, leaves: 1 };
  const blobs = await peerOver(store, { ask: async (ids) => ids.map(() => named) });
  const session = blobs.session({ startedAtMs: 1 });
  const leaves = leavesOf(9, 3);
  const ids = await session.put('leaf', leaves);
  const { newPacks, reusedPacks } = await session.flush();
  assert.deepEqual(reusedPacks, []);
  assert.ok(newPacks.every(({ id }) => id !== named.id));
  assert.deepEqual(await blobs.get('leaf', ids), leaves);
});

test('while nobody answers the whole index is asked, for what any source has committed', async () => {
  const { store, leaves, packs } = await storedLeaves();
  const known = new Set(packs.slice(0, 6).map(({ id }) => id));
  const blobs = await peerOver(store, {}, ({ id }) => known.has(id));
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

/** Where a process alone finds them. */
async function truth(store: MemoryObjectStore, ids: readonly LeafId[]) {
  const { parts } = await openBlobStore(store, { indexEntriesMax });
  const places = (await parts.index.lookup(ids)) as BlobLocation[];
  return new Map(ids.map((id, i) => [hex(id), places[i] as BlobLocation]));
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

async function assertReadsAll(blobs: BlobStore, ids: LeafId[], leaves: Uint8Array[]) {
  for (let at = 0; at < ids.length; at += 30) {
    const read = await blobs.get('leaf', ids.slice(at, at + 30));
    assert.deepEqual(read.map(hex), leaves.slice(at, at + 30).map(hex));
  }
}

test('a peer that reads asks others for what it has no filters of, and leaves those objects alone', async () => {
  const { store, leaves, ids } = await storedLeaves();
  const places = await truth(store, ids);
  const asked: number[] = [];
  const where: LeafExchange['where'] = async (some) => {
    asked.push(...some.map(([first]) => first as number));
    return some.map((id) => places.get(hex(id)));
  };
  const blobs = await peerOver(store, { where });
  await assertReadsAll(blobs, ids, leaves);
  assert.ok(asked.length > 100);
  assert.ok(asked.every((byte) => byte >= 128));
  for (const object of blobs.parts.index.objects.values()) {
    if (object.header.firstByte >= 128) assert.equal(object.searchedAtMs, Number.NEGATIVE_INFINITY);
  }
});

test('whatever others say, silent or wrong, every leaf is read', async () => {
  const { store, leaves, ids, packs } = await storedLeaves();
  const places = await truth(store, ids);
  const gone = { ...packs[0], id: packId('ab'.repeat(32)) } as PackRef;
  const otherKind = { ...packs[1], kind: 't' } as PackRef;
  const lies: ((at: BlobLocation) => BlobLocation | undefined)[] = [
    (at) => at,
    () => undefined,
    (at) => ({ ...at, leaf: at.leaf + 1 }),
    (at) => ({ ...at, leaf: 2 ** 32 - 1 }),
    ({ leaf }) => ({ pack: gone, leaf }),
    ({ leaf }) => ({ pack: otherKind, leaf }),
    (at) => ({ ...at, pack: packs[2] as PackRef }),
    (at) => ({ ...at, pack: { ...at.pack, bytes: 1, leaves: 0 } }),
  ];
  const property = fc.asyncProperty(
    fc.array(fc.nat(lies.length - 1), { minLength: 1 }),
    async (picks) => {
      let turn = 0;
      const where: LeafExchange['where'] = async (some) =>
        some.map((id) => {
          const lie = lies[picks[turn++ % picks.length] as number] as (typeof lies)[0];
          return lie(places.get(hex(id)) as BlobLocation);
        });
      await assertReadsAll(await peerOver(store, { where }), ids, leaves);
    },
  );
  await fc.assert(property, { seed: testSeed(29), numRuns: 25 });
});

test('what others say of a condemned pack is not read there while another has it', async () => {
  const { store, leaves, ids, packs } = await storedLeaves();
  const places = await truth(store, ids);
  const writer = await openBlobStore(store, { indexEntriesMax, seed: 2 });
  const session = writer.session();
  await session.put('leaf', leaves.slice(0, 40)); // once more, in another pack
  await session.flush();
  const where: LeafExchange['where'] = async (some) => some.map((id) => places.get(hex(id)));
  const blobs = await peerOver(store, { where });
  blobs.forget([(packs[0] as PackRef).id]);
  await store.remove(packName(packs[0] as PackRef));
  await assertReadsAll(blobs, ids, leaves);
});

test('a leaf that nothing holds is missing, whatever others say', async () => {
  const { store, ids, packs } = await storedLeaves();
  const where: LeafExchange['where'] = async (some) =>
    some.map(() => ({ pack: packs[0] as PackRef, leaf: 3 }));
  const blobs = await peerOver(store, { where });
  const unknown = leafId(Uint8Array.from(ids[0] as LeafId, (byte) => 255 - byte));
  await assert.rejects(blobs.get('leaf', [unknown]), (error) =>
    isCodrError(error, 'object-missing'),
  );
});

test('what a peer has stored in a copy of the repository is not relied on', async () => {
  const [ours, copy] = [new MemoryObjectStore(), new MemoryObjectStore()];
  const blobs = await openBlobStore(ours, {});
  const session = (await openBlobStore(copy, {})).session();
  await session.put('leaf', leavesOf(1, 40));
  const { newPacks } = await session.flush();
  const [pack] = newPacks;
  assert.ok(pack);
  await assert.rejects(blobs.proveStored(newPacks), (error) => isCodrError(error, 'peer-lost'));
  await ours.create(packName(pack), [await copy.get(packName(pack))]);
  await blobs.proveStored(newPacks);
});
