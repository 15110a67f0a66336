// Agreement within one process, the default: keys in memory, one revision counter, leases that hold as long
// as the process lives. It can be made to lose leases, as a network would, so that what depends on them
// can be tested: `silence` cuts the keep-alives of a lease, `expire` ends it at once.
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import type {
  Coordinator,
  CoordinatorEntry,
  Guard,
  Lease,
  Operation,
  Outcome,
} from '../coordinator.ts';
import { assertTransaction } from '../limits.ts';

/** How long before its keys vanish a lease counts as lost: a fifth of its time, 2 s of 10 s. */
const marginShare = 0.2;

interface HeldLease {
  readonly id: string;
  readonly ttlMs: number;
  /** Aborted when this side must stop acting. */
  readonly lost: AbortController;
  /** Aborted when the lease has ended and its keys are gone. */
  readonly ended: AbortController;
}

interface HeldEntry extends CoordinatorEntry {
  readonly leaseId: string | undefined;
}

interface Watcher {
  readonly prefix: string;
  changed: boolean;
  wake(): void;
}

export class MemoryCoordinator implements Coordinator {
  readonly clusterId: string;
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #entries = new Map<string, HeldEntry>();
  readonly #leases = new Map<string, HeldLease>();
  readonly #watchers = new Set<Watcher>();
  #revision = 0;
  #leaseCount = 0;
  #disposed = false;

  /** `clusterId`: to be unique among all that may ever write into one repository. */
  constructor(clock: Pick<Clock, 'sleep'>, clusterId = 'memory') {
    this.#clock = clock;
    this.clusterId = clusterId;
  }

  async get(key: string): Promise<CoordinatorEntry | undefined> {
    this.#assertOpen();
    const entry = this.#entries.get(key);
    return entry && publicEntry(entry);
  }

  async list(prefix: string): Promise<CoordinatorEntry[]> {
    this.#assertOpen();
    const entries = [...this.#entries.values()].filter((entry) => entry.key.startsWith(prefix));
    return entries.sort((a, b) => (a.key < b.key ? -1 : 1)).map(publicEntry);
  }

  async transact(guards: readonly Guard[], operations: readonly Operation[]): Promise<Outcome> {
    this.#assertOpen();
    assertTransaction(guards, operations);
    if (!guards.every((guard) => this.#holds(guard))) return { done: false };
    for (const operation of operations) {
      if ('put' in operation && operation.lease) this.#heldLease(operation.lease.id);
    }
    const changed = operations.filter(
      (operation) => 'put' in operation || this.#entries.has(operation.delete),
    );
    if (changed.length > 0) this.#revision++;
    for (const operation of changed) {
      if ('put' in operation) this.#put(operation.put, operation.value, operation.lease?.id);
      else this.#entries.delete(operation.delete);
    }
    this.#tell(changed.map((operation) => ('put' in operation ? operation.put : operation.delete)));
    return { done: true, revision: this.#revision };
  }

  async lease(ttlMs: number): Promise<Lease> {
    this.#assertOpen();
    assert(ttlMs > 0, 'a lease must last for some time');
    const held: HeldLease = {
      id: `lease-${++this.#leaseCount}`,
      ttlMs,
      lost: new AbortController(),
      ended: new AbortController(),
    };
    this.#leases.set(held.id, held);
    return {
      id: held.id,
      lost: held.lost.signal,
      [Symbol.asyncDispose]: async () => this.#end(held),
    };
  }

  watch(prefix: string, signal: AbortSignal): AsyncIterable<void> {
    this.#assertOpen();
    // Registered here, not at the first step: what changes from now on is told.
    const watcher: Watcher = { prefix, changed: false, wake: () => {} };
    const ended = (): boolean => signal.aborted || !this.#watchers.has(watcher);
    const leave = (): void => {
      this.#watchers.delete(watcher);
      watcher.wake();
    };
    this.#watchers.add(watcher);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    return steps(watcher, ended, () => {
      signal.removeEventListener('abort', leave);
      leave();
    });
  }

  /** Ends the lease now: its holder is told, then its keys vanish. */
  expire(lease: Lease): void {
    const held = this.#leases.get(lease.id);
    if (!held) return;
    loseLease(held);
    this.#end(held);
  }

  /**
   * Cuts the keep-alives of the lease, as a dead network does: its holder is told a margin before its time
   * is over, and the keys vanish when it is.
   */
  async silence(lease: Lease): Promise<void> {
    const held = this.#heldLease(lease.id);
    const marginMs = held.ttlMs * marginShare;
    try {
      await this.#clock.sleep(held.ttlMs - marginMs, held.ended.signal);
      loseLease(held);
      await this.#clock.sleep(marginMs, held.ended.signal);
      this.#end(held);
    } catch (error) {
      // Given back or expired meanwhile: nothing is left to end.
      if (!held.ended.signal.aborted) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const held of [...this.#leases.values()]) {
      loseLease(held);
      this.#end(held);
    }
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher.wake();
    this.#disposed = true;
  }

  #assertOpen(): void {
    assert(!this.#disposed, 'a coordinator must not be used after it was disposed');
  }

  #holds(guard: Guard): boolean {
    const entry = this.#entries.get(guard.key);
    if ('createRevision' in guard) return (entry?.createRevision ?? 0) === guard.createRevision;
    return (entry?.modifyRevision ?? 0) === guard.modifyRevision;
  }

  #heldLease(id: string): HeldLease {
    const held = this.#leases.get(id);
    if (!held) throw new CodrError('lease-lost', `the lease ${id} has ended`, { object: id });
    return held;
  }

  #put(key: string, value: string, leaseId: string | undefined): void {
    const createRevision = this.#entries.get(key)?.createRevision ?? this.#revision;
    const modifyRevision = this.#revision;
    this.#entries.set(key, { key, value, createRevision, modifyRevision, leaseId });
  }

  #end(held: HeldLease): void {
    if (!this.#leases.delete(held.id)) return;
    held.ended.abort();
    const keys = [...this.#entries.values()]
      .filter((entry) => entry.leaseId === held.id)
      .map((entry) => entry.key);
    if (keys.length > 0) this.#revision++;
    for (const key of keys) this.#entries.delete(key);
    this.#tell(keys);
  }

  #tell(keys: readonly string[]): void {
    for (const watcher of this.#watchers) {
      if (!keys.some((key) => key.startsWith(watcher.prefix))) continue;
      watcher.changed = true;
      watcher.wake();
    }
  }
}

/** One step for all changes since the step before; ends when `ended` says so. */
async function* steps(
  watcher: Watcher,
  ended: () => boolean,
  leave: () => void,
): AsyncGenerator<void> {
  try {
    while (!ended()) {
      if (watcher.changed) {
        watcher.changed = false;
        yield;
      } else {
        await new Promise<void>((wake) => {
          watcher.wake = wake;
        });
      }
    }
  } finally {
    leave();
  }
}

function loseLease(held: HeldLease): void {
  held.lost.abort(new CodrError('lease-lost', `the lease ${held.id} ended`, { object: held.id }));
}

function publicEntry({ key, value, createRevision, modifyRevision }: HeldEntry): CoordinatorEntry {
  return { key, value, createRevision, modifyRevision };
}
