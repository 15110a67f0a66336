// How many fingerprints does one peer look up for another? Everything but the network: the question is encoded,
// decoded, looked up in the table that an owner of slots has in memory, and the answer goes back the same way.
import { silentLogger } from '../src/base/log.ts';
import { MemorySpill } from '../src/base/spill.ts';
import { type CommittedLeaves, FingerprintExchange } from '../src/cluster/fingerprint-exchange.ts';
import { computeSlots, SlotTable } from '../src/cluster/slot-table.ts';
import { leafId, packId } from '../src/model/id.ts';
import { FingerprintIndex } from '../src/repository/index/fingerprint-index.ts';
import { CommittedLeaves as StoredLeaves } from '../src/repository/known/committed-leaves.ts';
import { MemoryObjectStore } from '../src/storage/memory/memory-object-store.ts';
import { type BenchOptions, type Question, say } from './question.ts';

export const fingerprintsQuestion: Question = {
  name: 'fingerprints',
  about: 'lookups a CPU second of one peer for another, in one process; wanted 2 M/s',
  run,
};

const leavesPerPack = 4000;
const packs = 250;
const batch = 4096;
/** Two on the wire, two that gather. */
const batchesAtOnce = 4;
const wallClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
    }),
};

async function run({ runs }: BenchOptions): Promise<void> {
  const ids = randomIds(packs * leavesPerPack, 1);
  const others = randomIds(200_000, 2);
  const leaves = await ownerOf(ids);
  const asker = askerOf(leaves);
  say(`${leaves.size} leaves in the owner's table, ${batch} ids a question`);
  for (const [name, wanted] of [
    ['unknown', others],
    ['known', ids.slice(0, 200_000)],
  ] as const) {
    const best = await bestOf(runs, () => askAll(asker, wanted));
    say(`${name.padEnd(8)} ${(best / 1e6).toFixed(2)} M/s`);
  }
  const looked = await bestOf(runs, () => lookUpAll(leaves, others));
  say(`table    ${(looked / 1e6).toFixed(2)} M/s unknown, the lookup alone`);
}

/** CPU seconds of this process, so other work on the machine counts little. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Ids a CPU second. */
async function askAll(asker: FingerprintExchange, ids: readonly Uint8Array[]): Promise<number> {
  const start = cpuSeconds();
  let at = 0;
  const ask = async (): Promise<void> => {
    while (at < ids.length) {
      const some = ids.slice(at, at + batch);
      at += some.length;
      await asker.ask(some, 1);
    }
  };
  await Promise.all(Array.from({ length: batchesAtOnce }, ask));
  return ids.length / (cpuSeconds() - start);
}

async function lookUpAll(leaves: CommittedLeaves, ids: readonly Uint8Array[]): Promise<number> {
  const all = Buffer.concat(ids.map((id) => id.subarray(0, 16)));
  const start = cpuSeconds();
  for (let at = 0; at < all.length; at += batch * 16) {
    await leaves.find(all.subarray(at, at + batch * 16));
  }
  return ids.length / (cpuSeconds() - start);
}

async function bestOf(runs: number, measure: () => Promise<number>): Promise<number> {
  let best = 0;
  for (let i = 0; i < runs; i++) best = Math.max(best, await measure());
  return best;
}

/** An owner of all slots whose table holds all of `ids`. */
async function ownerOf(ids: readonly Uint8Array[]): Promise<StoredLeaves> {
  const macKey = new Uint8Array(32).fill(7);
  const index = await FingerprintIndex.open(new MemoryObjectStore(), {
    macKey,
    spill: new MemorySpill(),
  });
  for (let n = 0; n < packs; n++) {
    const leafIds = ids.slice(n * leavesPerPack, (n + 1) * leavesPerPack).map(leafId);
    const id = packId(n.toString(16).padStart(64, '0'));
    const ref = { id, kind: 'd' as const, bytes: 64 * 1024 * 1024, leaves: leavesPerPack };
    await index.addPacks([{ ref, leafIds }]);
    await index.compact();
  }
  const owned = new Uint8Array(4096).fill(1);
  const leaves = new StoredLeaves({
    index,
    packs: { readAll: async () => [], read: async () => [], has: () => true },
    owned: () => owned,
    condemned: () => {},
    clock: wallClock,
    log: silentLogger,
    entriesMax: 2 * ids.length,
  });
  await leaves.refresh();
  return leaves;
}

/** Another peer, which owns nothing and reaches the owner without a network. */
function askerOf(leaves: CommittedLeaves): FingerprintExchange {
  const table = computeSlots([{ name: 'owner', weight: 1 }], SlotTable.empty);
  const slots = () => ({ epoch: { clusterId: 'bench', revision: 1 }, table });
  const common = { slots, leaves, clock: wallClock, log: silentLogger };
  const transport = { call: (_: string, request: Uint8Array) => owner.serve(request) };
  const owner = new FingerprintExchange({ ...common, self: 'owner', transport });
  return new FingerprintExchange({ ...common, self: 'asker', transport });
}

/** Of 32 bytes, made fast. */
function randomIds(count: number, seed: number): Uint8Array[] {
  const words = new Uint32Array(count * 8);
  let state = seed * 2654435761;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return Array.from({ length: count }, (_, i) => new Uint8Array(words.buffer, i * 32, 32));
}
