import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/random.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import { FingerprintIndex } from './fingerprint-index.ts';
import { assertFound, syntheticPack } from './synthetic-pack.fixture.ts';

const macKey = new SeededRandom(4).bytes(32);

test('as many runs are merged as can still be cut by the leading byte, and the rest is left', async () => {
  const store = new MemoryObjectStore();
  const options = { macKey, objectEntriesMax: 10 };
  const index = await FingerprintIndex.open(store, options);
  // One run is too large to be merged with another: it is in nobody's way.
  const packs = Array.from({ length: 25 }, (_, n) => syntheticPack(n + 1, n === 0 ? 2200 : 700));
  for (const pack of packs) {
    await index.addPacks([pack]);
    await index.compact();
  }
  const runs = new Map<string, number>();
  for (const { header } of index.objects.values()) {
    const name = `${header.tier} ${Buffer.from(header.run).toString('hex')}`;
    runs.set(name, (runs.get(name) ?? 0) + header.entryCount);
  }
  // Three of 700 fit into 224 objects of 10, four do not.
  const merged = [...runs].filter(([name]) => name.startsWith('1 '));
  assert.deepEqual(new Set(merged.map(([, count]) => count)), new Set([2100]));
  assert.ok(
    merged.length >= 5 && runs.size < 8 + merged.length,
    `${merged.length} of ${runs.size}`,
  );
  assert.equal(index.entryCount, 24 * 700 + 2200);
  await assertFound(await FingerprintIndex.open(store, options), packs);
});

test('a million leaves cost 1.25 bytes each in memory, and no filter past the limit', async () => {
  const store = new MemoryObjectStore();
  const writer = await FingerprintIndex.open(store, { macKey });
  const leavesOfPack = 100_000;
  for (let n = 0; n < 10; n++) await writer.addPacks([syntheticPack(n + 1, leavesOfPack)]);
  await writer[Symbol.asyncDispose]();
  const samples = [1, 4, 10].map((n) => syntheticPack(n, leavesOfPack).leafIds.slice(0, 200));
  const bytesInUse = (): number => process.memoryUsage().heapUsed + process.memoryUsage().external;
  const before = bytesInUse();
  const index = await FingerprintIndex.open(store, { macKey, pageCacheBytesMax: 256 * 1024 });
  assert.equal(index.entryCount, 1_000_000);
  assert.ok(index.filterBytes <= 1_250_100);
  for (const some of samples) {
    assert.ok((await index.lookup(some)).every((at, i) => at?.leaf === i));
  }
  const grown = bytesInUse() - before;
  assert.ok(grown < 32 * 1024 * 1024, `${grown} bytes for a million leaves`);
  const bounded = await FingerprintIndex.open(store, { macKey, filterBytesMax: 300_000 });
  assert.ok(bounded.filterBytes <= 300_000 && bounded.filterBytes > 0);
  assert.ok((await bounded.lookup(syntheticPack(10, 100).leafIds)).every(Boolean));
});
