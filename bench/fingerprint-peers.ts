// Two peers of a cluster for the benchmark of fingerprints: one owns all slots and has a million leaves in its table.
import { silentLogger } from '../src/base/log.ts';
import { MemorySpill } from '../src/base/spill.ts';
import { type CommittedLeaves, FingerprintExchange } from '../src/cluster/fingerprint-exchange.ts';
import { computeSlots, SlotTable } from '../src/cluster/slot-table.ts';
import { leafId, packId } from '../src/model/id.ts';
import { FingerprintIndex } from '../src/repository/index/fingerprint-index.ts';
import { CommittedLeaves as StoredLeaves } from '../src/repository/known/committed-leaves.ts';
import { MemoryObjectStore } from '../src/storage/memory/memory-object-store.ts';

const leavesPerPack = 4000;
const packs = 250;

export const wallClock = {
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

/** Those that the owner holds. */
export const heldIds = (): Uint8Array[] => randomIds(packs * leavesPerPack, 1);

/** Of 32 bytes, made fast. */
export function randomIds(count: number, seed: number): Uint8Array[] {
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

/** An owner of all slots whose table holds all of `ids`. */
export async function ownerOf(ids: readonly Uint8Array[]): Promise<StoredLeaves> {
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

export type CallOwner = (request: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;

/** A peer of a cluster in which `owner` owns all slots. */
export function exchangeOf(
  self: string,
  leaves: CommittedLeaves,
  call: CallOwner,
): FingerprintExchange {
  const table = computeSlots([{ name: 'owner', weight: 1 }], SlotTable.empty);
  const slots = () => ({ epoch: { clusterId: 'bench', revision: 1 }, table });
  const transport = {
    call: (_: string, ...rest: Parameters<CallOwner>) => call(...rest),
    where: () => Promise.reject(new Error('nothing is read')),
  };
  return new FingerprintExchange({
    ...{ self, slots, transport, leaves },
    ...{ clock: wallClock, log: silentLogger, deadlineMs: 10_000 },
  });
}
