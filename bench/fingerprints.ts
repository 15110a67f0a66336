// How many fingerprints does one peer look up for another? The question is encoded, decoded, looked up in the table that
// an owner of slots has in memory, and the answer goes back the same way: by a call of a function, and by gRPC over
// the loopback. Both peers are this process, so a CPU second is that of both together.

import { everybody } from '../src/api/access.ts';
import { PeerLink } from '../src/api/client/peer-link.ts';
import { fakeApi } from '../src/api/fake-api.fixture.ts';
import { serve } from '../src/api/grpc/serve.ts';
import type { OperationStore } from '../src/api/operations.ts';
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
  say(`${leaves.size} leaves in the owner's table, ${batch} ids a question`);
  const kinds = [
    ['unknown', others],
    ['known', ids.slice(0, 200_000)],
  ] as const;
  const measure = async (over: string, asker: FingerprintExchange): Promise<void> => {
    for (const [name, wanted] of kinds) {
      const best = await bestOf(runs, () => askAll(asker, wanted));
      say(`${(best / 1e6).toFixed(2).padStart(6)} M/s ${name}, ${over}`);
    }
    const { unanswered } = asker.counts;
    if (unanswered > 0) throw new Error(`${unanswered} ids got no answer`);
  };
  const owner = exchangeOf('owner', leaves, async () => {
    throw new Error('the owner of all slots asks nobody');
  });
  await measure(
    'by a function',
    exchangeOf('asker', leaves, (request) => owner.serve(request)),
  );
  await overGrpc(
    owner,
    async (call) => await measure('by gRPC', exchangeOf('asker', leaves, call)),
  );
  const looked = await bestOf(runs, () => lookUpAll(leaves, others));
  say(`${(looked / 1e6).toFixed(2).padStart(6)} M/s unknown, the lookup alone`);
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

type CallOwner = (request: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;

/** A peer of a cluster in which `owner` owns all slots. */
function exchangeOf(self: string, leaves: CommittedLeaves, call: CallOwner): FingerprintExchange {
  const table = computeSlots([{ name: 'owner', weight: 1 }], SlotTable.empty);
  const slots = () => ({ epoch: { clusterId: 'bench', revision: 1 }, table });
  const transport = { call: (_: string, ...rest: Parameters<CallOwner>) => call(...rest) };
  return new FingerprintExchange({
    ...{ self, slots, transport, leaves },
    ...{ clock: wallClock, log: silentLogger, deadlineMs: 10_000 },
  });
}

async function overGrpc(
  owner: FingerprintExchange,
  measure: (call: CallOwner) => Promise<void>,
): Promise<void> {
  const served = await serve({
    listen: '127.0.0.1:0',
    credentials: 'insecure',
    api: fakeApi(async () => ({})),
    operations: {} as OperationStore, // nobody asks for any
    authorise: everybody,
    audit: { append: async () => {} },
    clock: wallClock,
    log: silentLogger,
    redact: (text) => text,
    peer: { lookUp: (request) => owner.serve(request), ping: async (news) => news },
  });
  const link = new PeerLink({ address: served.address, tls: 'insecure', clock: wallClock });
  try {
    await measure((request, signal) => link.lookUp(request, signal));
  } finally {
    link[Symbol.dispose]();
    await served.close({ balancerMs: 0, drainMs: 100 });
  }
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
