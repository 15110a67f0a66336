// Peers of one cluster in one process, over one store: each has a repository of its own, and they ask each other what
// is stored. A copy is what the engine's base copy does: segments, each committed when it is finished.
import { Buffer } from 'node:buffer';
import { forEachLimit } from '../../src/base/async.ts';
import type { Clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { FingerprintExchange } from '../../src/cluster/fingerprint-exchange.ts';
import { computeSlots, SlotTable } from '../../src/cluster/slot-table.ts';
import type { DataRecord, RecordStream } from '../../src/model/record.ts';
import {
  createFixture,
  openFixture,
  registerSource,
} from '../../src/repository/collect/repository-fixture.ts';
import type { CommittedLeaves } from '../../src/repository/known/committed-leaves.ts';
import type { Lineage } from '../../src/repository/lineage/lineage.ts';
import { CondemnedPacksError, usePacks } from '../../src/repository/lineage/pack-table.ts';
import type { Repository } from '../../src/repository/repository.ts';
import { joinParts } from '../../src/repository/tree/join.ts';
import { buildRange } from '../../src/repository/tree/range-builder.ts';
import type { TreeRoot } from '../../src/repository/tree/tree-root.ts';
import { MemoryObjectStore } from '../../src/storage/memory/memory-object-store.ts';

/** Whatever is ready runs. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Sleeps are turns of the event loop, one for 10 ms: what runs meanwhile runs, however slow the machine is. */
export const turnClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    for (let left = ms / 10; left > 0; left--) {
      signal?.throwIfAborted();
      await turn();
    }
  },
};

export interface PeerInWorld {
  readonly name: string;
  readonly repository: Repository;
  readonly leaves: CommittedLeaves;
  readonly exchange: FingerprintExchange;
}

/** One source's data: equal for equal seeds. */
export interface CopyOptions {
  readonly seed: number;
  readonly segments: number;
  readonly recordsPerSegment: number;
  /** Segments at a time. */
  readonly workers: number;
}

export interface WorldOptions {
  /** False for peers that know nothing of each other. */
  readonly talking?: boolean;
  /** Entries of an object of the index. */
  readonly indexEntriesMax?: number;
  /** By peer, of its share of slots; 1 unless said. */
  readonly weights?: Readonly<Record<string, number>>;
}

export class PeersWorld {
  readonly store = new MemoryObjectStore();
  readonly peers: PeerInWorld[] = [];
  /** Peers that answer nobody. */
  readonly dead = new Set<string>();
  #table = SlotTable.empty;

  readonly #weights: Readonly<Record<string, number>>;

  private constructor(weights: Readonly<Record<string, number>>) {
    this.#weights = weights;
  }

  /** As the peers say; they share nothing but the store and what they ask each other. */
  static async open(
    names: readonly string[],
    { talking = true, indexEntriesMax = 2 ** 20, weights = {} }: WorldOptions = {},
  ): Promise<PeersWorld> {
    const world = new PeersWorld(weights);
    await createFixture(world.store, 1);
    world.#deal(names);
    for (const [i, name] of names.entries())
      await world.#join(name, i, { talking, indexEntriesMax });
    return world;
  }

  /** The dead lose their slots to those who live. */
  expire(): void {
    this.#deal(this.peers.map(({ name }) => name).filter((name) => !this.dead.has(name)));
  }

  #deal(names: readonly string[]): void {
    const peers = names.map((name) => ({ name, weight: this.#weights[name] ?? 1 }));
    this.#table = computeSlots(peers, this.#table);
  }

  async register(source: string): Promise<void> {
    await registerSource((this.peers[0] as PeerInWorld).repository, source);
  }

  /** Stored bytes of data and tree packs. */
  async packBytes(): Promise<number> {
    let sum = 0;
    for await (const { size } of this.store.list('packs/')) sum += size;
    return sum;
  }

  async until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await turn();
  }

  /** Everybody has read what was hinted at so far. */
  async settled(): Promise<void> {
    for (let i = 0; i < 20; i++) await turn();
    for (const { leaves } of this.peers) await leaves.settled();
  }

  /** Copies the data into the source's lineage by this peer. The roots of its segments. */
  async copy(peer: PeerInWorld, source: string, options: CopyOptions): Promise<TreeRoot[]> {
    const lineage = await peer.repository.openLineage(source);
    const numbers = Array.from({ length: options.segments }, (_, i) => i);
    const roots: TreeRoot[] = [];
    await forEachLimit(numbers, options.workers, async (i) => {
      roots[i] = await copySegment(peer.repository, lineage, i, options);
    });
    return roots;
  }

  async #reach(to: string): Promise<FingerprintExchange> {
    await turn();
    if (this.dead.has(to)) throw new Error('connection refused');
    return (this.peers.find(({ name }) => name === to) as PeerInWorld).exchange;
  }

  /** Another array when slots have moved. */
  #ownedBy(name: string): () => Uint8Array {
    let of: SlotTable | undefined;
    let owned = new Uint8Array(0);
    return () => {
      const table = this.#table;
      if (of !== table)
        owned = Uint8Array.from(table.owners, (_, i) => +(table.ownerOf(i) === name));
      of = table;
      return owned;
    };
  }

  async #join(
    name: string,
    i: number,
    { talking, indexEntriesMax }: { readonly talking: boolean; readonly indexEntriesMax: number },
  ): Promise<void> {
    const ownedSlots = this.#ownedBy(name);
    const options = { clock: turnClock, indexEntriesMax, ...(talking && { ownedSlots }) };
    const repository = await openFixture(this.store, { seed: 100 + i, ...options });
    const leaves = repository.committedLeaves(ownedSlots, silentLogger);
    const exchange = new FingerprintExchange({
      self: name,
      slots: () => ({ epoch: { clusterId: 'one', revision: 1 }, table: this.#table }),
      transport: {
        call: async (to, request) => await (await this.#reach(to)).serve(request),
        where: async (to, request) => await (await this.#reach(to)).serveWhere(request),
      },
      leaves,
      clock: turnClock,
      log: silentLogger,
    });
    if (talking) repository.joinExchange(exchange);
    await leaves.refresh();
    this.peers.push({ name, repository, leaves, exchange });
  }
}

export function recordsOf({ seed, recordsPerSegment }: CopyOptions, segment: number): DataRecord[] {
  const random = new SeededRandom(seed * 1000 + segment);
  return Array.from({ length: recordsPerSegment }, (_, i) => {
    const key = Buffer.from(`${String(segment).padStart(4, '0')}/${String(i).padStart(8, '0')}`);
    return { key, value: random.bytes(300) };
  });
}

async function* slowly(records: readonly DataRecord[]): RecordStream {
  for (let at = 0; at < records.length; at += 50) {
    await turn();
    yield records.slice(at, at + 50);
  }
}

/** As a base copy does: what condemned packs hold is stored anew. */
async function copySegment(
  repository: Repository,
  lineage: Lineage,
  segment: number,
  options: CopyOptions,
): Promise<TreeRoot> {
  for (;;) {
    const session = repository.session();
    const part = await buildRange(slowly(recordsOf(options, segment)), session.tree());
    const root = await joinParts([part], session.tree());
    const used = await session.flush();
    try {
      await lineage.commit((draft): undefined => {
        const packs = String(usePacks(draft, used));
        draft.set(`segment/data/${String(segment).padStart(4, '0')}`, { packs });
      });
    } catch (error) {
      if (!(error instanceof CondemnedPacksError)) throw error;
      repository.forget(error.packs);
      continue;
    }
    repository.committed(used);
    return root;
  }
}
