import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { LeafId, PackId } from '../../model/id.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import { type FrameSeal, frameKinds, frameRawBytesMax } from '../frame/frame-codec.ts';
import { InlineSealer } from '../frame/sealer.ts';
import { leafIdOf } from '../leaf/leaf-id.ts';
import type { BlobStore } from './blob-store.ts';
import { fixedKeys, jsonBlobs, namesIn, openBlobStore } from './pack-fixture.ts';
import { encodeFooter, packFramesMax, packLeavesMax } from './pack-format.ts';

test('blobs come back in the order asked, before the flush, after it, and in another process', async () => {
  const store = new MemoryObjectStore();
  const blobs = await openBlobStore(store);
  const session = blobs.session();
  const leaves = jsonBlobs(1, 40, 16_000);
  const nodes = jsonBlobs(2, 3, 9_000);
  const large = jsonBlobs(3, 1, 300_000);
  const ids = await session.put('leaf', leaves);
  const nodeIds = await session.put('node', nodes);
  const largeIds = await session.put('chunk', large);
  const check = async (from: BlobStore): Promise<void> => {
    const backwards = await from.get('leaf', [...ids].reverse());
    assert.deepEqual(backwards.reverse().map(text), leaves.map(text));
    assert.deepEqual((await from.get('node', nodeIds)).map(text), nodes.map(text));
    assert.deepEqual((await from.get('chunk', largeIds)).map(text), large.map(text));
  };
  await check(blobs);
  const { newPacks, reusedPacks } = await session.flush();
  assert.deepEqual(newPacks.map(({ kind, leaves: count }) => [kind, count]).sort(), [
    ['d', 41],
    ['t', 3],
  ]);
  assert.deepEqual(reusedPacks, []);
  await check(blobs);
  await check(await openBlobStore(store));
});

/** As threads do it: memory that is handed over is gone from here. */
class TakingSealer extends InlineSealer {
  override async seal(raw: Uint8Array<ArrayBuffer>, seal: FrameSeal): Promise<Uint8Array> {
    return await super.seal(structuredClone(raw, { transfer: [raw.buffer] }), seal);
  }
}

test('what was read before its frame was sealed stays as it was', async () => {
  const sealer = new TakingSealer({ idKey: fixedKeys.id, level: 1 });
  const blobs = await openBlobStore(new MemoryObjectStore(), { sealer });
  const session = blobs.session();
  const [leaves, nodes] = [jsonBlobs(1, 4, 1000), jsonBlobs(2, 4, 1000)];
  const ids = await session.put('leaf', leaves);
  const nodeIds = await session.put('node', nodes);
  const found = [...(await blobs.get('leaf', ids)), ...(await blobs.get('node', nodeIds))];
  await session.flush();
  assert.deepEqual(found.map(text), [...leaves, ...nodes].map(text));
});

test('ids are the keyed hashes of the blobs', async () => {
  const session = (await openBlobStore()).session();
  const blob = Buffer.from('one leaf');
  const [id] = await session.put('leaf', [blob]);
  assert.deepEqual(Buffer.from(id as LeafId), leafIdOf(fixedKeys.id, 'leaf', blob));
});

test('a blob that two sessions put at once is stored once, and both list its pack', async () => {
  const store = new MemoryObjectStore();
  const blobs = await openBlobStore(store);
  const [a, b] = [blobs.session(), blobs.session()];
  const same = jsonBlobs(1, 4, 1000);
  await Promise.all([a.put('leaf', same), b.put('leaf', [...same, ...same])]);
  const [usedB, usedA] = [await b.flush(), await a.flush()];
  assert.equal((await namesIn(store, 'packs/')).length, 1);
  assert.equal(usedA.newPacks.length, 1);
  assert.deepEqual(usedA, usedB);
  assert.equal(usedA.newPacks[0]?.leaves, 4);
});

test('a flush waits for the pack of another session on which it relies', async () => {
  const store = new FailingStore();
  const blobs = await openBlobStore(store);
  const [a, b] = [blobs.session(), blobs.session()];
  await a.put('leaf', jsonBlobs(1, 2, 1000));
  await b.put('leaf', jsonBlobs(1, 2, 1000));
  const used = await b.flush();
  assert.equal(used.newPacks.length, 1);
  assert.ok(await store.stat((await namesIn(store, 'packs/'))[0] as string));
});

test('leaves of packs that were never committed are not known to another process', async () => {
  const store = new MemoryObjectStore();
  const leaves = jsonBlobs(1, 4, 1000);
  const first = (await openBlobStore(store)).session();
  await first.put('leaf', leaves);
  const lost = await first.flush();
  const second = await openBlobStore(store, { seed: 2 });
  const session = second.session();
  await session.put('leaf', leaves);
  const used = await session.flush();
  assert.notEqual(used.newPacks[0]?.id, lost.newPacks[0]?.id);
  assert.equal(used.reusedPacks.length, 0);
});

test('leaves of committed packs are known, and the packs are listed as reused', async () => {
  const store = new MemoryObjectStore();
  const leaves = jsonBlobs(1, 4, 1000);
  const first = (await openBlobStore(store)).session();
  await first.put('leaf', leaves);
  const { newPacks } = await first.flush();
  const second = await openBlobStore(store, { seed: 2 });
  second.committed(newPacks.map(({ id }) => id));
  const session = second.session();
  await session.put('leaf', leaves);
  assert.deepEqual(await session.flush(), { newPacks: [], reusedPacks: newPacks });
  assert.equal(session.counts.knownBlobs, 4);
});

test('leaves of condemned packs are stored anew', async () => {
  const store = new MemoryObjectStore();
  const blobs = await openBlobStore(store);
  const leaves = jsonBlobs(1, 4, 1000);
  const put = async (): Promise<string[]> => {
    const session = blobs.session();
    await session.put('leaf', leaves);
    const used = await session.flush();
    return [...used.newPacks, ...used.reusedPacks].map(({ id }) => id);
  };
  const first = await put();
  blobs.committed(first as never);
  assert.deepEqual(await put(), first);
  blobs.forget(first as never);
  const second = await put();
  assert.notDeepEqual(second, first);
  blobs.committed(second as never);
  assert.deepEqual(await put(), second);
});

test('a pack that is condemned while the index is being read is not relied on', async () => {
  const store = new HookedStore();
  const first = await openBlobStore(store);
  const leaves = [jsonBlobs(1, 4, 1000), jsonBlobs(2, 4, 1000)];
  const packs: PackId[] = [];
  for (const some of leaves) {
    const session = first.session();
    await session.put('leaf', some);
    packs.push(...(await session.flush()).newPacks.map(({ id }) => id));
  }
  const second = await openBlobStore(store, { seed: 2 });
  second.committed(packs);
  let reads = 0;
  // The first of two index objects has answered already when the second is read.
  store.onGet = () => {
    if (++reads === 2) second.forget(packs);
  };
  const session = second.session();
  await session.put('leaf', leaves.flat());
  const used = await session.flush();
  assert.deepEqual([used.reusedPacks.length, used.newPacks[0]?.leaves], [0, 8]);
});

test('packs are closed at their target size, and the index follows', async () => {
  const store = new MemoryObjectStore();
  const options = { packBytesTarget: 50_000, framesInFlightMax: 2, pendingLeavesMax: 8 };
  const blobs = await openBlobStore(store, options);
  const session = blobs.session();
  const ids: LeafId[] = [];
  const leaves = jsonBlobs(5, 80, 16_000);
  for (let i = 0; i < 80; i += 16)
    ids.push(...(await session.put('leaf', leaves.slice(i, i + 16))));
  const { newPacks } = await session.flush();
  assert.ok(newPacks.length >= 3, `${newPacks.length} packs`);
  assert.ok(newPacks.every(({ bytes }) => bytes < 200_000));
  assert.deepEqual((await blobs.get('leaf', ids)).map(text), leaves.map(text));
  assert.equal(blobs.parts.index.entryCount, 80);
});

test('data that compresses to almost nothing fills packs by its leaves and its frames', async () => {
  const blank = Array.from({ length: 200 }, (_, i) => {
    const blob = Buffer.alloc(16 * 1024, ' ');
    blob.write(String(i));
    return blob;
  });
  for (const limits of [{ packLeavesMax: 40 }, { packFramesMax: 2 }]) {
    const blobs = await openBlobStore(undefined, limits);
    const session = blobs.session();
    const ids: LeafId[] = [];
    for (let i = 0; i < blank.length; i += 10)
      ids.push(...(await session.put('leaf', blank.slice(i, i + 10))));
    const { newPacks } = await session.flush();
    assert.ok(newPacks.length >= 5, `${newPacks.length} packs`);
    assert.ok(newPacks.every(({ leaves }) => leaves <= 40));
    assert.deepEqual((await blobs.get('leaf', ids)).map(text), blank.map(text));
  }
});

test('the largest footer fits into a frame', () => {
  const leaf = { id: leafIdOf(fixedKeys.id, 'leaf', Buffer.from('one')), kind: 'leaf' } as const;
  const frame = { offset: 0, storedLength: 1, rawLength: 1, kind: frameKinds.blobs };
  const footer = encodeFooter(
    Array.from({ length: packFramesMax }, () => frame),
    Array.from({ length: packLeavesMax }, () => ({ ...leaf, frame: 0, offset: 0, length: 1 })),
  );
  assert.ok(footer.length < frameRawBytesMax / 5, `${footer.length} bytes`);
});

test('a failed upload fails the flush of every session that relies on it, and a new one heals', async () => {
  const store = new FailingStore();
  const blobs = await openBlobStore(store);
  const [a, b] = [blobs.session(), blobs.session()];
  const leaves = jsonBlobs(1, 4, 1000);
  await a.put('leaf', leaves);
  await b.put('leaf', leaves);
  store.failing = true;
  await assert.rejects(a.flush(), (error) => isCodrError(error, 'store-unreachable'));
  await assert.rejects(b.flush(), (error) => isCodrError(error, 'store-unreachable'));
  store.failing = false;
  const again = blobs.session();
  await again.put('leaf', leaves);
  assert.equal((await again.flush()).newPacks[0]?.leaves, 4);
});

test('blocks of runs get the name of their change pack at the flush and can be read', async () => {
  const blobs = await openBlobStore();
  const session = blobs.session();
  const raw = jsonBlobs(1, 3, 5000);
  const refs = raw.map((block) => session.blocks.addBlock(Buffer.from(block)));
  await session.blocks.flush();
  const placed = (await Promise.all(refs)) as { pack: never; frame: number }[];
  const { newPacks } = await session.flush();
  assert.deepEqual(
    newPacks.map(({ kind }) => kind),
    ['c'],
  );
  assert.deepEqual(
    (await blobs.readBlocks([...placed].reverse())).map(text).reverse(),
    raw.map(text),
  );
});

test('an unknown id is object-missing', async () => {
  const blobs = await openBlobStore();
  const id = leafIdOf(fixedKeys.id, 'leaf', Buffer.from('never put'));
  await assert.rejects(blobs.get('leaf', [id]), (error) => isCodrError(error, 'object-missing'));
});

test('a leaf is read from its other pack when one was deleted', async () => {
  const store = new MemoryObjectStore();
  const leaves = jsonBlobs(1, 4, 1000);
  const first = (await openBlobStore(store)).session();
  const ids = await first.put('leaf', leaves);
  await first.flush();
  const [gone] = await namesIn(store, 'packs/');
  const second = (await openBlobStore(store, { seed: 2 })).session();
  await second.put('leaf', leaves);
  await second.flush();
  await store.remove(gone as string);
  const third = await openBlobStore(store);
  assert.deepEqual((await third.get('leaf', ids)).map(text), leaves.map(text));
});

test('a leaf is read from its other pack when one is damaged, and its neighbours from the damaged one', async () => {
  const store = new MemoryObjectStore();
  const leaves = jsonBlobs(1, 300, 2000);
  const first = (await openBlobStore(store)).session();
  const ids: LeafId[] = [];
  for (let at = 0; at < 300; at += 100) {
    ids.push(...(await first.put('leaf', leaves.slice(at, at + 100))));
  }
  await first.flush();
  const [name] = await namesIn(store, 'packs/');
  const second = (await openBlobStore(store, { seed: 2 })).session();
  await second.put('leaf', leaves.slice(0, 20));
  await second.flush();
  const bytes = Buffer.from(await store.get(name as string));
  bytes[100] = (bytes[100] as number) ^ 1; // in the first frame
  await store.remove(name as string);
  await store.create(name as string, [bytes]);
  const third = await openBlobStore(store);
  const wanted = [...ids.slice(0, 20), ...ids.slice(280)];
  const expected = [...leaves.slice(0, 20), ...leaves.slice(280)];
  assert.deepEqual((await third.get('leaf', wanted)).map(text), expected.map(text));
  const isDamage = (error: unknown): boolean => isCodrError(error, 'object-damaged');
  await assert.rejects(third.get('leaf', ids.slice(0, 40)), isDamage);
});

test('what sessions gather that are given up is not held for ever, and not lost', async () => {
  const blobs = await openBlobStore(new MemoryObjectStore(), { gatheringFramesMax: 2 });
  const leaves = jsonBlobs(1, 10, 1000);
  const ids: LeafId[] = [];
  for (const leaf of leaves) ids.push(...(await blobs.session().put('leaf', [leaf])));
  const gathering = ids.filter((id) => blobs.pendingFrame(id) && !blobs.pendingFrame(id)?.cut);
  assert.deepEqual(gathering, ids.slice(-2));
  const session = blobs.session();
  await session.put('leaf', leaves);
  assert.equal((await session.flush()).newPacks[0]?.leaves, 10);
  assert.equal(blobs.pendingFrame(ids[0] as LeafId), undefined);
  assert.deepEqual((await blobs.get('leaf', ids)).map(text), leaves.map(text));
});

/** Calls `onGet` at the end of each read. */
class HookedStore extends MemoryObjectStore {
  onGet = (): void => {};

  override async get(...args: Parameters<MemoryObjectStore['get']>): Promise<Uint8Array> {
    const bytes = await super.get(...args);
    this.onGet();
    return bytes;
  }
}

/** Refuses to store packs while `failing`. */
class FailingStore extends MemoryObjectStore {
  failing = false;

  override async create(name: string, body: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    if (this.failing) throw new CodrError('store-unreachable', 'the store is full');
    return await super.create(name, body);
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
