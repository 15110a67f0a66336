import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemorySpill } from '../../base/spill.ts';
import { type LeafId, leafId, type PackId, packId } from '../../model/id.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import { FingerprintIndex } from '../index/fingerprint-index.ts';
import { CommittedLeaves } from './committed-leaves.ts';

const slotOf = (id: Uint8Array): number => ((id[0] as number) << 4) | ((id[1] as number) >> 4);
const macKey = new SeededRandom(1).bytes(32);

/** An owner of slots over an index that others write to; what is committed is a set. */
class Owner {
  readonly store = new MemoryObjectStore();
  readonly committed = new Set<PackId>();
  readonly condemned: PackId[] = [];
  readonly read: string[] = [];
  owned: Uint8Array = new Uint8Array(4096).fill(1);
  nowMs = 0;
  readonly sleptMs: number[] = [];
  /** Packs that a list condemns, told with the next reading. */
  newlyCondemned: PackId[] = [];
  readonly #numbers = new Map<string, LeafId>();
  writer!: FingerprintIndex;
  leaves!: CommittedLeaves;
  #packs = 0;

  static async open(entriesMax = 100_000): Promise<Owner> {
    const owner = new Owner();
    owner.writer = await FingerprintIndex.open(owner.store, { macKey });
    const tell = (what: string) => async () => {
      owner.read.push(what);
      return owner.newlyCondemned.splice(0);
    };
    owner.leaves = new CommittedLeaves({
      index: await FingerprintIndex.open(owner.store, { macKey, spill: new MemorySpill() }),
      packs: {
        readAll: tell('all'),
        read: async (names) => await tell([...names].join())(),
        has: (id) => owner.committed.has(id),
      },
      owned: () => owner.owned,
      condemned: (packs) => owner.condemned.push(...packs),
      clock: {
        monotonic: () => owner.nowMs,
        sleep: async (ms) => {
          owner.sleptMs.push(ms);
        },
      },
      log: silentLogger,
      entriesMax,
    });
    await owner.leaves.refresh();
    return owner;
  }

  /** Stores a pack with `count` new leaves, as another peer does. */
  async storePack(count: number): Promise<{ id: PackId; leafIds: LeafId[] }> {
    const n = ++this.#packs;
    const random = new SeededRandom(n);
    const leafIds = Array.from({ length: count }, () => leafId(random.bytes(32)));
    const id = packId(String(n).padStart(64, '0'));
    const ref = { id, kind: 'd' as const, bytes: 1000, leaves: count };
    await this.writer.addPacks([{ ref, leafIds }]);
    for (const [leaf, leafId] of leafIds.entries()) this.#numbers.set(`${id}/${leaf}`, leafId);
    return { id, leafIds };
  }

  async commit(pack: { readonly id: PackId }, lineage = 'source-1'): Promise<void> {
    this.committed.add(pack.id);
    this.leaves.hint([lineage]);
    await this.leaves.settled();
  }

  /** Also where they are: each at its number in the pack. */
  async find(leafIds: readonly LeafId[]): Promise<(PackId | undefined)[]> {
    const ids = Buffer.concat(leafIds.map((id) => id.subarray(0, 16)));
    const places = await this.leaves.locate(ids);
    for (const [i, at] of places.entries()) {
      if (at) assert.equal(this.#numbers.get(`${at.pack.id}/${at.leaf}`), leafIds[i]);
    }
    const found = (await this.leaves.find(ids)).map((pack) => pack?.id);
    assert.deepEqual(
      places.map((at) => at?.pack.id),
      found,
    );
    return found;
  }
}

test('a leaf is known from the moment on that its pack is committed and hinted at', async () => {
  const owner = await Owner.open();
  const pack = await owner.storePack(300);
  owner.leaves.hint(['source-1']);
  await owner.leaves.settled();
  assert.ok(
    (await owner.find(pack.leafIds)).every((id) => id === undefined),
    'only stored so far',
  );
  await owner.commit(pack, 'source-2');
  assert.ok((await owner.find(pack.leafIds)).every((id) => id === pack.id));
  assert.deepEqual(owner.read, ['all', 'source-1', 'source-2']);
});

test('only slots that are owned take memory; those that come are loaded, all answers stay right', async () => {
  const owner = await Owner.open();
  const packs = [];
  for (let i = 0; i < 12; i++) packs.push(await owner.storePack(200));
  await owner.writer.compact();
  const all = packs.flatMap(({ leafIds }) => leafIds);
  for (const { id } of packs) owner.committed.add(id);
  const halves = [0, 1].map((half) =>
    Uint8Array.from({ length: 4096 }, (_, i) => (i % 2 === half ? 1 : 0)),
  );
  owner.owned = halves[0] as Uint8Array;
  await owner.leaves.refresh();
  const first = all.filter((id) => halves[0]?.[slotOf(id)]).length;
  assert.equal(owner.leaves.size, first);
  owner.owned = new Uint8Array(4096).fill(1);
  assert.ok((await owner.find(all)).every(Boolean), 'while they are loaded the index answers');
  await owner.leaves.settled();
  assert.equal(owner.leaves.size, all.length);
  assert.ok((await owner.find(all)).every(Boolean));
});

test('what does not fit into the table is found in the index', async () => {
  const owner = await Owner.open(100);
  const pack = await owner.storePack(500);
  await owner.commit(pack);
  assert.equal(owner.leaves.size, 100);
  assert.ok((await owner.find(pack.leafIds)).every((id) => id === pack.id));
  const other = await owner.storePack(100);
  assert.ok((await owner.find(other.leafIds)).every((id) => id === undefined));
});

test('objects that others merged are read again, and nothing is counted twice', async () => {
  const owner = await Owner.open();
  const packs = [];
  for (let i = 0; i < 20; i++) {
    const pack = await owner.storePack(50);
    packs.push(pack);
    await owner.writer.compact();
    await owner.commit(pack);
  }
  assert.equal(owner.leaves.size, 1000);
  for (const { id, leafIds } of packs) {
    assert.ok((await owner.find(leafIds)).every((found) => found === id));
  }
});

test('condemned packs are known no more, and whoever stores here is told', async () => {
  const owner = await Owner.open();
  const pack = await owner.storePack(10);
  await owner.commit(pack);
  owner.committed.delete(pack.id);
  owner.newlyCondemned = [pack.id];
  owner.leaves.hint(['repository']);
  await owner.leaves.settled();
  assert.deepEqual(owner.condemned, [pack.id]);
  assert.ok((await owner.find(pack.leafIds)).every((id) => id === undefined));
});

test('hints that come fast are read together, half a second apart', async () => {
  const owner = await Owner.open();
  owner.nowMs = 1000;
  for (const name of ['a', 'b', 'c']) owner.leaves.hint([name]);
  await owner.leaves.settled();
  owner.nowMs = 1100;
  owner.leaves.hint(['d']);
  await owner.leaves.settled();
  assert.deepEqual(owner.read, ['all', 'a,b,c', 'd']);
  assert.deepEqual(owner.sleptMs, [400]);
});

test('a commit whose hint was lost is known after a minute', async () => {
  const owner = await Owner.open();
  const pack = await owner.storePack(10);
  owner.committed.add(pack.id);
  owner.nowMs = 60_000;
  assert.ok((await owner.find(pack.leafIds)).every((id) => id === undefined));
  owner.nowMs = 60_001;
  await owner.find(pack.leafIds);
  await owner.leaves.settled();
  assert.ok((await owner.find(pack.leafIds)).every((id) => id === pack.id));
});

test('a store that fails leaves the answers as they were, and the reading is done later', async () => {
  const owner = await Owner.open();
  const [one, two] = [await owner.storePack(10), await owner.storePack(10)];
  await owner.commit(one);
  const list = owner.store.list.bind(owner.store);
  owner.store.list = () => {
    throw new Error('the store is away');
  };
  await owner.commit(two);
  assert.ok((await owner.find(one.leafIds)).every((id) => id === one.id));
  await owner.leaves.settled();
  owner.store.list = list;
  await owner.find(two.leafIds);
  await owner.leaves.settled();
  assert.ok((await owner.find(two.leafIds)).every((id) => id === two.id));
});

test('once it is closed nothing is read any more, and what was under way has ended', async () => {
  const owner = await Owner.open();
  const pack = await owner.storePack(10);
  owner.leaves.hint(['source-1']);
  await owner.leaves[Symbol.asyncDispose]();
  const { length } = owner.read;
  owner.committed.add(pack.id);
  owner.leaves.hint(['source-1']);
  owner.nowMs = 100_000;
  await owner.find(pack.leafIds);
  await owner.leaves.settled();
  assert.equal(owner.read.length, length);
});
