import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampled } from '../../../test/harness/seed.ts';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemorySpill } from '../../base/spill.ts';
import type { PackId } from '../../model/id.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { namesIn, withDamage } from '../pack/pack-fixture.ts';
import { CountingStore } from './counting-store.fixture.ts';
import { FingerprintIndex, type IndexedPack } from './fingerprint-index.ts';
import { assertFound, syntheticPack } from './synthetic-pack.fixture.ts';

const macKey = new SeededRandom(4).bytes(32);

test('every leaf of every pack is found at its place, and no other', async () => {
  const store = new MemoryObjectStore();
  const index = await FingerprintIndex.open(store, { macKey });
  const packs = [1, 2, 3].map((n) => syntheticPack(n, 700 * n));
  await index.addPacks(packs);
  await assertFound(index, packs);
  await assertFound(await FingerprintIndex.open(store, { macKey }), packs);
  const others = await index.lookup(syntheticPack(9, 1000).leafIds);
  assert.equal(others.filter(Boolean).length, 0);
});

test('leaves of equal leading bytes are found too', async () => {
  const index = await FingerprintIndex.open(new MemoryObjectStore(), { macKey });
  const pack = syntheticPack(1, 2000);
  for (const [i, id] of pack.leafIds.entries()) if (i % 2 === 0) id.set([7, 7, 7, 7, 7]);
  await index.addPacks([pack]);
  await assertFound(index, [pack]);
});

test('a leaf in several packs is found in the one that may be used, across pages', async () => {
  const index = await FingerprintIndex.open(new MemoryObjectStore(), { macKey });
  const { leafIds } = syntheticPack(1, 3);
  const packs = Array.from({ length: 400 }, (_, n) => ({ ...syntheticPack(n, 1), leafIds }));
  await index.addPacks(packs);
  for (const { ref } of [packs[0], packs[200], packs[399]] as IndexedPack[]) {
    const found = await index.lookup(leafIds, ({ id }) => id === ref.id);
    assert.deepEqual(
      found.map((at) => at?.pack.id),
      [ref.id, ref.id, ref.id],
    );
  }
  const none = await index.lookup(leafIds, () => false);
  assert.deepEqual(none, [undefined, undefined, undefined]);
});

test('eight objects of a tier become one, and nothing is lost', async () => {
  const store = new MemoryObjectStore();
  const index = await FingerprintIndex.open(store, { macKey });
  const packs = Array.from({ length: 70 }, (_, n) => syntheticPack(n + 1, 30));
  for (const pack of packs) {
    await index.addPacks([pack]);
    await index.compact();
  }
  assert.equal(index.objectCount, 1 + 6);
  assert.equal((await namesIn(store, 'index/')).length, 7);
  await assertFound(index, packs);
});

test('a merge above the limit of an object is cut by leading byte', async () => {
  const store = new MemoryObjectStore();
  const options = { macKey, objectEntriesMax: 2000 };
  const index = await FingerprintIndex.open(store, options);
  const packs = Array.from({ length: 8 }, (_, n) => syntheticPack(n + 1, 1500));
  for (const pack of packs) await index.addPacks([pack]);
  await index.compact();
  assert.equal(index.objectCount, 7);
  assert.equal(index.entryCount, 12_000);
  await assertFound(await FingerprintIndex.open(store, options), packs);
});

test('two processes that merge the same objects write the same ones', async () => {
  const store = new MemoryObjectStore();
  const a = await FingerprintIndex.open(store, { macKey });
  const packs = Array.from({ length: 8 }, (_, n) => syntheticPack(n + 1, 100));
  for (const pack of packs) await a.addPacks([pack]);
  const b = await FingerprintIndex.open(store, { macKey });
  await Promise.all([a.compact(), b.compact()]);
  await b.refresh();
  assert.deepEqual([a.entryCount, b.entryCount], [800, 800]);
  await assertFound(b, packs);
});

test('an index that others merged away meanwhile answers after it has read the list again', async () => {
  const store = new MemoryObjectStore();
  const a = await FingerprintIndex.open(store, { macKey });
  const packs = Array.from({ length: 8 }, (_, n) => syntheticPack(n + 1, 100));
  for (const pack of packs) await a.addPacks([pack]);
  const b = await FingerprintIndex.open(store, { macKey });
  await a.compact();
  await b.lookup(packs.flatMap(({ leafIds }) => leafIds));
  await assertFound(b, packs);
});

test('dropped packs leave the index', async () => {
  const store = new MemoryObjectStore();
  const index = await FingerprintIndex.open(store, { macKey });
  const packs = [1, 2, 3].map((n) => syntheticPack(n, 200));
  await index.addPacks(packs);
  await index.drop(new Set<PackId>([(packs[1] as IndexedPack).ref.id]));
  assert.equal(index.entryCount, 400);
  await assertFound(index, [packs[0], packs[2]] as IndexedPack[]);
  await assertFound(await FingerprintIndex.open(store, { macKey }), [packs[0]] as IndexedPack[]);
});

test('a damaged index is made again from packs', async () => {
  const store = new MemoryObjectStore();
  const packs = [syntheticPack(1, 200), syntheticPack(2, 200)];
  await (await FingerprintIndex.open(store, { macKey })).addPacks(packs);
  const [name] = (await namesIn(store, 'index/')) as [string];
  const damaged = await withDamage(store, name, { flip: 70 });
  await assert.rejects(FingerprintIndex.open(damaged, { macKey }));
  async function* given(): AsyncGenerator<IndexedPack> {
    yield* packs;
  }
  await assertFound(await FingerprintIndex.rebuild(damaged, { macKey }, given()), packs);
  await assertFound(await FingerprintIndex.open(damaged, { macKey }), packs);
});

test('a flipped bit in any byte of an index object is damage', async () => {
  const store = new MemoryObjectStore();
  const pack = syntheticPack(1, 180);
  await (await FingerprintIndex.open(store, { macKey })).addPacks([pack]);
  const [name] = (await namesIn(store, 'index/')) as [string];
  const { length } = await store.get(name);
  const lookUpAll = async (damaged: ObjectStore): Promise<void> => {
    const index = await FingerprintIndex.open(damaged, { macKey });
    await index.lookup(pack.leafIds);
  };
  await lookUpAll(store);
  const damages: ({ flip: number } | { cutAt: number })[] = [{ cutAt: 10 }, { cutAt: length - 1 }];
  const step = Math.ceil(length / sampled(Math.ceil(length / 3)));
  for (let flip = 0; flip < length; flip += step) damages.push({ flip });
  for (const damage of damages) {
    await assert.rejects(
      withDamage(store, name, damage).then(lookUpAll),
      (error) => isCodrError(error, 'object-damaged') || isCodrError(error, 'format-unknown'),
      JSON.stringify(damage),
    );
  }
});

test('with a place to spill to, an object is fetched once however many pages are searched', async () => {
  const store = new CountingStore();
  const pack = syntheticPack(1, 20_000);
  await (await FingerprintIndex.open(store, { macKey })).addPacks([pack]);
  await using index = await FingerprintIndex.open(store, {
    macKey,
    spill: new MemorySpill(),
    pageCacheBytesMax: 4096,
  });
  store.readBytes = 0;
  for (let at = 0; at < 20_000; at += 1000) {
    const found = await index.lookup(pack.leafIds.slice(at, at + 50));
    assert.ok(found.every(Boolean));
  }
  assert.ok(store.readBytes < 20_000 * 25, `${store.readBytes} bytes read`);
});
