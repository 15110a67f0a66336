// Who is there: each peer keeps `peers/<name>` under a lease, so a dead one leaves by itself when that ends.
import { CodrError } from '../base/error.ts';
import type { Coordinator, CoordinatorEntry, Lease } from '../coordination/coordinator.ts';

/** What a peer says of itself. */
export interface Peer {
  /** Unique in the cluster; stays the same over restarts. */
  readonly name: string;
  /** Where its peers reach it: `host:port`. */
  readonly address: string;
  /** Of the program. */
  readonly version: string;
  /** Its share of work and slots, relative to the others; more than 0. */
  readonly weight: number;
  /** `draining`: it ends what it does, takes nothing new and owns no slots. */
  readonly state: 'up' | 'draining';
  /** Wall clock, ms. Names this life of the peer. */
  readonly startedAt: number;
}

const prefix = 'peers/';

/** The registration of this process. Disposing of it takes the peer out of the list at once. */
export class Membership implements AsyncDisposable {
  readonly #coordinator: Coordinator;
  readonly #lease: Lease;
  #self: Peer;

  private constructor(coordinator: Coordinator, lease: Lease, self: Peer) {
    this.#coordinator = coordinator;
    this.#lease = lease;
    this.#self = self;
  }

  /**
   * Errors: `busy` when another process is registered by that name at another address; at the same address it is
   * an earlier life of this one, and is replaced. `busy` too when another peer has this address: whoever asked the one
   * would reach the other. `lease-lost`; those of the coordinator.
   */
  static async join(
    coordinator: Coordinator,
    self: Peer,
    { leaseTtlMs }: { readonly leaseTtlMs: number },
  ): Promise<Membership> {
    const lease = await coordinator.lease(leaseTtlMs);
    try {
      await register(coordinator, lease, self);
      return new Membership(coordinator, lease, self);
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      throw error;
    }
  }

  get self(): Peer {
    return this.#self;
  }

  /** For keys that are to vanish with the peer. */
  get lease(): Lease {
    return this.#lease;
  }

  /** Aborted with `lease-lost`: the others may take this peer for dead. Join again. */
  get lost(): AbortSignal {
    return this.#lease.lost;
  }

  /** The others give this peer nothing new from now on. Errors: `lease-lost`; those of the coordinator. */
  async drain(): Promise<void> {
    const self: Peer = { ...this.#self, state: 'draining' };
    const put = { put: keyOf(self.name), value: JSON.stringify(self), lease: this.#lease };
    await this.#coordinator.transact([], [put]);
    this.#self = self;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lease[Symbol.asyncDispose]();
  }
}

/** All peers by name, ascending. Errors: `format-unknown` for what this version cannot read. */
export async function listPeers(coordinator: Coordinator): Promise<Peer[]> {
  return (await coordinator.list(prefix)).map(peerOf);
}

/** The peers now, and again whenever that may have changed. Ends quietly when the signal is aborted. */
export async function* watchPeers(
  coordinator: Coordinator,
  signal: AbortSignal,
): AsyncGenerator<Peer[]> {
  // Before the first list, so that nothing falls between.
  const hints = coordinator.watch(prefix, signal)[Symbol.asyncIterator]();
  try {
    do yield await listPeers(coordinator);
    while (!(await hints.next()).done);
  } finally {
    await hints.return?.();
  }
}

async function register(coordinator: Coordinator, lease: Lease, self: Peer): Promise<void> {
  const key = keyOf(self.name);
  for (;;) {
    const entries = await coordinator.list(prefix);
    const there = entries.find((entry) => entry.key === key);
    if (there) refuseOther(peerOf(there), self);
    refuseSamePlace(entries, self);
    const guard = { key, modifyRevision: there?.modifyRevision ?? 0 };
    const put = { put: key, value: JSON.stringify(self), lease };
    if ((await coordinator.transact([guard], [put])).done) return;
  }
}

function refuseOther(there: Peer, self: Peer): void {
  if (there.address === self.address) return;
  const message = `a peer named ${self.name} is registered at ${there.address}`;
  const remedy =
    'give each peer a name of its own, or stop the other one; of one that was killed the name is free after 10 s';
  throw new CodrError('busy', message, { object: self.name, remedy });
}

function refuseSamePlace(entries: readonly CoordinatorEntry[], self: Peer): void {
  for (const entry of entries) {
    const other = readable(entry);
    if (!other || other.name === self.name || other.address !== self.address) continue;
    const message = `a peer named ${other.name} is registered at ${self.address}, which is to be ${self.name}'s`;
    const remedy = 'give each peer an address at which the others reach it alone (advertise)';
    throw new CodrError('busy', message, { object: self.address, remedy });
  }
}

/** An entry that nobody can read keeps nobody from joining. */
function readable(entry: CoordinatorEntry): Peer | undefined {
  try {
    return peerOf(entry);
  } catch {
    return undefined;
  }
}

const keyOf = (name: string): string => prefix + encodeURIComponent(name);

function peerOf({ key, value }: CoordinatorEntry): Peer {
  try {
    const said = JSON.parse(value) as Peer;
    const isPeer =
      [said.name, said.address, said.version].every((text) => typeof text === 'string') &&
      keyOf(said.name) === key &&
      said.weight > 0 &&
      (said.state === 'up' || said.state === 'draining') &&
      Number.isFinite(said.startedAt);
    if (isPeer) return said;
  } catch {
    // Said below, as for any other value that is no peer.
  }
  throw new CodrError('format-unknown', `what stands at ${key} of the coordinator is no peer`, {
    object: key,
    remedy: 'stop the peer that wrote it, or delete the key',
  });
}
