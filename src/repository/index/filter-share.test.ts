import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled, testSeed } from '../../../test/harness/seed.ts';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemorySpill } from '../../base/spill.ts';
import { type LeafId, leafId, packId } from '../../model/id.ts';
import type { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import { namesIn, withDamage } from '../pack/pack-fixture.ts';
import { CountingStore } from './counting-store.fixture.ts';
import { FingerprintIndex, type IndexedPack } from './fingerprint-index.ts';

const macKey = new SeededRandom(4).bytes(32);
const slotCount = 4096;
const everySlot = new Uint8Array(slotCount).fill(1);
const noSlot = new Uint8Array(slotCount);

/** `count` leaves of pack `number`; ids are pseudo-random, made fast. */
function packOf(number: number, count: number): IndexedPack {
  const words = new Uint32Array(count * 8);
  let state = number * 2_654_435_761 + 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  const bytes = new Uint8Array(words.buffer);
  const ids = Array.from({ length: count }, (_, i) => leafId(bytes.subarray(i * 32, i * 32 + 32)));
  const id = packId(number.toString(16).padStart(64, '0'));
  return { ref: { id, kind: 'd', bytes: count * 1000, leaves: count }, leafIds: ids };
}

/** A run that is cut by leading byte, as those of large repositories are; and its packs. */
async function cutRun(objectEntriesMax: number, packLeaves: number) {
  const store = new CountingStore();
  const packs = Array.from({ length: 8 }, (_, n) => packOf(n + 1, packLeaves));
  await using writer = await FingerprintIndex.open(store, { macKey, objectEntriesMax });
  for (const pack of packs) await writer.addPacks([pack]);
  await writer.compact();
  const whole = await FingerprintIndex.open(store, { macKey, filterBytesMax: 2 ** 40 });
  return { store, packs, objects: whole.objectCount, filterBytes: whole.filterBytes };
}

/** The index of a peer, with a clock that its test sets. */
class Peer {
  owned: Uint8Array | undefined;
  nowMs = 0;
  index!: FingerprintIndex;

  static async open(
    store: MemoryObjectStore,
    owned: Uint8Array | undefined,
    limits: { readonly filterBytesMax?: number; readonly tableBytesMax?: number } = {},
  ): Promise<Peer> {
    const peer = new Peer();
    peer.owned = owned;
    peer.index = await FingerprintIndex.open(store, {
      macKey,
      spill: new MemorySpill(),
      filterBytesMax: limits.filterBytesMax ?? 2 ** 40,
      share: {
        owned: () => peer.owned,
        clock: { monotonic: () => peer.nowMs },
        tableBytesMax: limits.tableBytesMax ?? 2 ** 40,
      },
    });
    return peer;
  }

  /** Every leaf of the packs is found at its place. */
  async check(packs: readonly IndexedPack[], from = 0, step = 1): Promise<void> {
    for (const { ref, leafIds } of packs) {
      const places = [...leafIds.keys()].filter((i) => i >= from && (i - from) % step === 0);
      const found = await this.index.lookup(places.map((i) => leafIds[i] as LeafId));
      for (const [k, at] of found.entries()) {
        const isThere = at?.pack.id === ref.id && at.leaf === places[k];
        assert.ok(isThere, `leaf ${places[k]} of ${ref.id}`);
      }
    }
  }

  get openObjects(): number {
    return [...this.index.objects.values()].filter(({ isOpen }) => isOpen).length;
  }
}

/** Slots dealt to `peers` at random. */
function deal(peers: number, seed: number): Uint8Array[] {
  const random = new SeededRandom(seed);
  const owners = Array.from({ length: slotCount }, () => random.below(peers));
  return Array.from({ length: peers }, (_, peer) =>
    Uint8Array.from(owners, (owner) => (owner === peer ? 1 : 0)),
  );
}

test('the filters of a peer take the share of memory that its slots say', async () => {
  const { store, objects, filterBytes } = await cutRun(100, 1500);
  // One of each leading byte, so that every filter may be needed.
  const ids = packOf(99, 256).leafIds.map((id, i) => leafId(Uint8Array.of(i, ...id.slice(1))));
  const sized = async (owned: Uint8Array): Promise<number> => {
    const { index } = await Peer.open(store, owned);
    await index.lookup(ids);
    return index.filterBytes;
  };
  assert.ok(objects > 120, `${objects} objects`);
  const shares: number[] = [];
  for (const peers of [1, 3, 20, 100]) {
    const some = deal(peers, peers).slice(0, 12);
    let sum = 0;
    for (const owned of some) sum += (await sized(owned)) / some.length;
    // An object holds ids of 256 / objects leading bytes, 16 slots each; one of them may be its own.
    const expected = 1 - (1 - 1 / peers) ** ((16 * 256) / objects);
    shares.push(sum / filterBytes);
    assert.ok(Math.abs((shares.at(-1) as number) - expected) < 0.04, `${shares} ${expected}`);
  }
  assert.equal(shares[0], 1);
  assert.ok((shares[3] as number) < 0.3, `${shares}`);
});

test('a peer opens large objects by their header, and the rest when an id is looked for', async () => {
  const { store, packs } = await cutRun(60_000, 16_000);
  const [first] = packs as [IndexedPack];
  store.readBytes = 0;
  const half = Uint8Array.from({ length: slotCount }, (_, slot) => (slot < slotCount / 2 ? 1 : 0));
  const peer = await Peer.open(store, half);
  assert.equal(store.readBytes, 64 * peer.index.objectCount);
  assert.equal(peer.openObjects, 0);
  const low = first.leafIds.filter((id) => (id[0] as number) < 80);
  assert.ok((await peer.index.lookup(low)).every(Boolean));
  assert.equal(peer.openObjects, 1, 'nobody has looked for ids of the others');
  await peer.check(packs, 0, 5);
  assert.equal(peer.openObjects, peer.index.objectCount);
  const before = peer.index.filterBytes;
  peer.nowMs = 60_001;
  await peer.index.lookup(low);
  assert.ok(peer.openObjects < peer.index.objectCount, 'what is of others is closed again');
  assert.equal(peer.index.filterBytes, before);
  await peer.check(packs, 3, 5);
});

test('a peer drops packs from objects that it has not opened, and merges such objects', async () => {
  const { store, packs } = await cutRun(60_000, 16_000);
  const [first, ...others] = packs as [IndexedPack, ...IndexedPack[]];
  const peer = await Peer.open(store, noSlot);
  assert.equal((await peer.index.packs()).size, 8);
  assert.equal(peer.openObjects, 0, 'what was opened for that is closed again');
  await peer.index.drop(new Set([first.ref.id]));
  assert.deepEqual(
    [...(await peer.index.packs()).keys()].sort(),
    others.map(({ ref }) => ref.id).sort(),
  );
  const more = Array.from({ length: 8 }, (_, n) => packOf(n + 20, 200));
  for (const pack of more) await peer.index.addPacks([pack]);
  await peer.index.compact();
  await peer.check([...others, ...more], 0, 9);
  const found = await peer.index.lookup(first.leafIds.slice(0, 500));
  assert.ok(found.every((at) => at === undefined));
});

test('past their limit heads are closed, those first that nobody looked into for long', async () => {
  const { store, packs } = await cutRun(200, 1500);
  const peer = await Peer.open(store, everySlot, { tableBytesMax: 20_000 });
  await peer.check(packs, 0, 7);
  peer.nowMs = 20_000;
  await peer.index.lookup([]);
  const left = peer.openObjects;
  assert.ok(left > 5 && left < 20, `${left} open`);
  await peer.check(packs, 3, 11);
});

test('wherever slots go, every leaf is found, and the filters are those of the slots', async () => {
  const { store, packs } = await cutRun(150, 900);
  const table = fc.oneof(
    fc.constant(undefined),
    fc.constant(everySlot),
    fc.constant(noSlot),
    fc.nat().map((seed) => deal(40, seed)[0] as Uint8Array),
  );
  const steps = fc.array(fc.record({ owned: table, at: fc.nat(50), waitMs: fc.nat(90_000) }), {
    maxLength: 6,
  });
  const property = fc.asyncProperty(steps, fc.boolean(), async (some, isSmall) => {
    const peer = await Peer.open(store, undefined, isSmall ? { filterBytesMax: 800 } : {});
    for (const { owned, at, waitMs } of some) {
      peer.owned = owned;
      peer.nowMs += waitMs;
      await Promise.all([peer.check(packs, at, 53), peer.check(packs, at + 1, 59)]);
      const { index } = peer;
      const objects = [...index.objects.values()];
      const held = objects.reduce((sum, { filterBytes }) => sum + filterBytes, 0);
      assert.equal(index.filterBytes, held);
      assert.ok(!isSmall || held <= 800);
      for (const { header, hasFilter } of objects) {
        const { firstByte, lastByte } = header;
        const slots = owned?.subarray(firstByte * 16, (lastByte + 1) * 16);
        const isOwn = slots?.includes(1) || (firstByte === 0 && lastByte === 255);
        if (hasFilter) assert.ok(isOwn, 'a filter of others is kept');
      }
    }
  });
  await fc.assert(property, { seed: testSeed(33), numRuns: sampled(25) });
});

test('a peer is blind to ids that may stand where it has no filter, and to no other', async () => {
  const { store, packs } = await cutRun(150, 900);
  const [ids] = packs.map(({ leafIds }) => leafIds) as [LeafId[]];
  const owned = Uint8Array.from({ length: slotCount }, (_, slot) => (slot < 1600 ? 1 : 0));
  const peer = await Peer.open(store, owned);
  for (const id of ids) {
    const byte = id[0] as number;
    if (byte < 99) assert.equal(peer.index.isBlindTo(id), false);
    if (byte > 101) assert.equal(peer.index.isBlindTo(id), true);
    assert.equal(peer.index.owns(id), byte < 100);
  }
  const alone = await FingerprintIndex.open(store, { macKey, filterBytesMax: 0 });
  assert.ok(ids.every((id) => !alone.isBlindTo(id) && alone.owns(id)));
});

test('a header that is damaged is found when its object is searched, or at the latest by a proof', async () => {
  const { store, packs } = await cutRun(60_000, 16_000);
  const all = packs.flatMap(({ leafIds }) => leafIds.slice(0, 300));
  const [name] = (await namesIn(store, 'index/')) as [string];
  const isDamage = (error: unknown): boolean =>
    isCodrError(error, 'object-damaged') || isCodrError(error, 'format-unknown');
  for (const flip of [0, 8, 9, 10, 11, 12, 16, 20, 30, 45, 60]) {
    const damaged = await withDamage(store, name, { flip });
    const use = async (): Promise<void> => {
      const { index } = await Peer.open(damaged as MemoryObjectStore, everySlot);
      await index.lookup(all);
      await index.prove();
    };
    await assert.rejects(use, isDamage, `byte ${flip}`);
  }
});
