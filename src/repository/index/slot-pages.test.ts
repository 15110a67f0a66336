import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../../test/harness/seed.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemorySpill } from '../../base/spill.ts';
import { leafId, packId } from '../../model/id.ts';
import { CountingStore } from './counting-store.fixture.ts';
import { FingerprintIndex } from './fingerprint-index.ts';
import { entryBytes } from './index-codec.ts';
import type { IndexObject } from './index-object.ts';
import { pagesOfSlots } from './slot-pages.ts';

const macKey = new SeededRandom(4).bytes(32);

/** One index object with ids that begin with these two bytes, and its store. */
async function objectOf(prefixes: readonly number[], seed: number) {
  const random = new SeededRandom(seed);
  const bytes = Buffer.from(random.bytes(prefixes.length * 8));
  const leafIds = prefixes.map((prefix, i) => {
    const id = Buffer.alloc(32);
    bytes.copy(id, 2, i * 8, i * 8 + 8);
    id.writeUInt16BE(prefix, 0);
    id.writeUInt32LE(i, 12);
    return leafId(id);
  });
  const store = new CountingStore();
  const index = await FingerprintIndex.open(store, { macKey, spill: new MemorySpill() });
  const ref = { id: packId('1'.repeat(64)), kind: 'd' as const, bytes: 1, leaves: leafIds.length };
  await index.addPacks([{ ref, leafIds }]);
  return { store, object: [...index.objects.values()][0] as IndexObject };
}

/** Numbers of leaves of those slots that its pages hold. */
async function leavesIn(object: IndexObject, slots: Uint8Array): Promise<Set<number>> {
  const found = new Set<number>();
  for await (const [page, from, to] of pagesOfSlots(object, slots)) {
    for (let at = from; at < to; at += entryBytes) {
      if (slots[page.readUInt16BE(at) >> 4] === 1) found.add(page.readUInt32LE(at + 20));
    }
  }
  return found;
}

const expected = (prefixes: readonly number[], slots: Uint8Array): Set<number> =>
  new Set([...prefixes.keys()].filter((i) => slots[(prefixes[i] as number) >> 4] === 1));

test('every id of the slots is in the pages, however ids are spread below their leading byte', async () => {
  const random = new SeededRandom(8);
  const spreads: Readonly<Record<string, () => number>> = {
    even: () => 0x0700 + random.below(512),
    'all in one slot': () => 0x0730 + random.below(16),
    'most at the end': () =>
      random.below(20) > 0 ? 0x07f0 + random.below(16) : 0x0700 + random.below(256),
    'two heaps': () => (random.below(2) > 0 ? 0x0700 : 0x07ff),
  };
  for (const [name, draw] of Object.entries(spreads)) {
    const prefixes = Array.from({ length: 12_000 }, draw);
    const { object } = await objectOf(prefixes, 1);
    const slot = fc.oneof(fc.integer({ min: 0x70, max: 0x8f }), fc.nat(4095));
    const property = fc.asyncProperty(fc.uniqueArray(slot, { maxLength: 5 }), async (some) => {
      const slots = Uint8Array.from({ length: 4096 }, (_, i) => (some.includes(i) ? 1 : 0));
      assert.deepEqual(await leavesIn(object, slots), expected(prefixes, slots), name);
    });
    await fc.assert(property, {
      seed: testSeed(34),
      numRuns: 10,
      examples: [[[0x70]], [[0x7f]], [[0x73, 0x74]]],
    });
  }
});

test('of a large object one slot costs its pages and a few beside them, and nothing is copied', async () => {
  const random = new SeededRandom(9);
  const prefixes = Array.from({ length: 60_000 }, () => 0x0700 + random.below(512));
  const { object, store } = await objectOf(prefixes, 2);
  const slots = new Uint8Array(4096);
  slots[0x75] = 1;
  store.readBytes = 0;
  assert.deepEqual(await leavesIn(object, slots), expected(prefixes, slots));
  assert.ok(store.readBytes < 30 * 4096, `${store.readBytes} bytes read`);
  slots.fill(1);
  store.readBytes = 0;
  assert.equal((await leavesIn(object, slots)).size, 60_000);
  assert.ok(store.readBytes < 60_000 * 25, `${store.readBytes} bytes read`);
});
