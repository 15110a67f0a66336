// The coordinator as one peer of a simulated world has it: a client of the service over a network that delays,
// is cut and loses answers. It keeps what the port promises, as the one for etcd does: the outcome of a
// transaction is found out, or said to be in doubt; a lease has a deadline of its own; a watch that was cut off
// yields when it is back; and in another life of the store everything fails.
import { assert } from '../../src/base/assert.ts';
import { untilAborted } from '../../src/base/async.ts';
import { CodrError, isCodrError } from '../../src/base/error.ts';
import type {
  Coordinator,
  CoordinatorEntry,
  Guard,
  Lease,
  Operation,
  Outcome,
} from '../../src/coordination/coordinator.ts';
import type { CoordinatorService } from './coordinator-service.ts';
import type { SimulatedNetwork, Station } from './simulated-network.ts';

/** For how long a call looks for somebody who answers. */
const patienceMs = 10_000;
/** One try of it. */
const tryMs = 3000;
const marginShare = 0.2;
/** Name of the service among the stations of the network. */
export const serviceName = 'coordinator';

export interface CoordinatorWorld {
  readonly service: CoordinatorService;
  readonly network: SimulatedNetwork;
  readonly station: Station;
}

export class SimulatedCoordinator implements Coordinator {
  readonly clusterId: string;
  readonly #world: CoordinatorWorld;
  readonly #life: number;
  readonly #ended = new AbortController();
  readonly #leases = new Set<SimulatedLease>();
  #disposed = false;

  private constructor(world: CoordinatorWorld) {
    this.#world = world;
    this.#life = world.service.life;
    this.clusterId = world.service.memory.clusterId;
  }

  /** Errors: `coordinator-unreachable`. */
  static async open(world: CoordinatorWorld): Promise<SimulatedCoordinator> {
    return await ask(world, async () => new SimulatedCoordinator(world));
  }

  async get(key: string): Promise<CoordinatorEntry | undefined> {
    return await this.#ask(async ({ memory }) => await memory.get(key));
  }

  async list(prefix: string): Promise<CoordinatorEntry[]> {
    return await this.#ask(async ({ memory }) => await memory.list(prefix));
  }

  async transact(guards: readonly Guard[], operations: readonly Operation[]): Promise<Outcome> {
    for (const operation of operations) {
      if ('put' in operation && operation.lease) (operation.lease as SimulatedLease).check();
    }
    const { name } = this.#world.station;
    let sent: Promise<Outcome> | undefined;
    // Its receipt: what was taken once is not done again, whoever asks how it went.
    const once = (service: CoordinatorService): Promise<Outcome> => {
      sent ??= service.transact(name, guards, operations);
      return sent;
    };
    try {
      if (this.#world.network.loses()) return await this.#doubt(once);
      return await this.#ask(once);
    } catch (error) {
      if (!isCodrError(error, 'coordinator-unreachable') || !sent) throw error;
      throw doubtful();
    }
  }

  /** It cannot be found out in time: it has happened, may happen later, or never. */
  async #doubt(once: (service: CoordinatorService) => Promise<Outcome>): Promise<never> {
    const { network, station } = this.#world;
    const happens = this.#ask(once);
    happens.catch(() => {});
    if (network.loses()) await happens;
    await network.carry(serviceName, station.name);
    await station.clock.pass();
    throw doubtful();
  }

  async lease(ttlMs: number): Promise<Lease> {
    const askedMs = this.#world.station.clock.monotonic();
    const { id } = await this.#ask(async (service) => await service.grant(ttlMs));
    const lease = new SimulatedLease(id, ttlMs, askedMs, this.#world, this.#life);
    if (this.#ended.signal.aborted) lease.lose('was of a store that is gone');
    this.#leases.add(lease);
    return lease;
  }

  watch(prefix: string, signal: AbortSignal): AsyncIterable<void> {
    this.#assertOpen();
    this.#ended.signal.throwIfAborted();
    // Registered here: what changes from now on is told.
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const hints = this.#world.service.memory.watch(prefix, both)[Symbol.asyncIterator]();
    return this.#steps(hints, both, () => stop.abort());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const lease of this.#leases) lease.lose('was held by a coordinator that is disposed of');
    await Promise.all([...this.#leases].map((lease) => lease[Symbol.asyncDispose]()));
  }

  async *#steps(
    hints: AsyncIterator<void>,
    signal: AbortSignal,
    leave: () => void,
  ): AsyncGenerator<void> {
    const { network, station } = this.#world;
    try {
      while (!signal.aborted) {
        const { done } = await hints.next();
        await network.carry(serviceName, station.name);
        await station.clock.pass();
        if (signal.aborted) return;
        // Also the end of a life is heard of when somebody answers.
        await this.#reached(signal);
        if (signal.aborted) return;
        assert(!done, 'a watch ends with its signal or with the life of the store');
        yield;
      }
    } finally {
      leave();
    }
  }

  async #reached(signal: AbortSignal): Promise<void> {
    const { clock } = this.#world.station;
    while (!signal.aborted) {
      try {
        return await untilAborted(
          this.#ask(async () => {}),
          signal,
        );
      } catch (error) {
        if (signal.aborted) return;
        if (!isCodrError(error, 'coordinator-unreachable')) throw error;
        await clock.sleep(500, signal).catch(() => {});
      }
    }
  }

  async #ask<T>(work: (service: CoordinatorService) => Promise<T>): Promise<T> {
    this.#assertOpen();
    this.#ended.signal.throwIfAborted();
    return await ask(this.#world, async (service) => {
      if (service.life !== this.#life) throw this.#end();
      return await work(service);
    });
  }

  #end(): CodrError {
    const error = new CodrError('coordinator-replaced', 'the store began another life');
    this.#ended.abort(error);
    for (const lease of this.#leases) lease.lose('was of a store that is gone');
    return error;
  }

  #assertOpen(): void {
    assert(!this.#disposed, 'a coordinator must not be used after it was disposed');
  }
}

function doubtful(): CodrError {
  return new CodrError('transaction-in-doubt', 'nobody says how the transaction went');
}

/** Tries again for a while. Errors: `coordinator-unreachable`; those of the work. */
async function ask<T>(
  { service, network, station }: CoordinatorWorld,
  work: (service: CoordinatorService) => Promise<T>,
): Promise<T> {
  const { clock, name } = station;
  const untilMs = clock.monotonic() + patienceMs;
  for (;;) {
    if (service.hasQuorum && (await network.carry(name, serviceName)) && service.hasQuorum) {
      // Done there, also when this side is frozen meanwhile, or never hears of it.
      const [done] = await Promise.allSettled([work(service)]);
      if (await network.carry(serviceName, name)) {
        await clock.pass();
        if (done.status === 'rejected') throw done.reason;
        return done.value;
      }
    }
    if (clock.monotonic() + tryMs > untilMs) {
      await clock.pass();
      throw new CodrError('coordinator-unreachable', 'no coordinator answers');
    }
    await clock.sleep(tryMs);
  }
}

class SimulatedLease implements Lease {
  readonly id: string;
  readonly lost: AbortSignal;
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();
  readonly #ttlMs: number;
  readonly #world: CoordinatorWorld;
  readonly #life: number;
  #confirmedMs: number;

  constructor(id: string, ttlMs: number, askedMs: number, world: CoordinatorWorld, life: number) {
    this.id = id;
    this.lost = this.#lost.signal;
    this.#ttlMs = ttlMs;
    this.#world = world;
    this.#life = life;
    this.#confirmedMs = askedMs;
    void this.#watchDeadline();
    void this.#keepAlive();
  }

  /** As the one for etcd: timers of a process that was stopped fire late. */
  check(): void {
    if (this.#world.station.clock.monotonic() >= this.#deadlineMs) this.lose('was not confirmed');
    this.lost.throwIfAborted();
  }

  lose(why: string): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    const message = `the lease ${this.id} ended: it ${why}`;
    this.#lost.abort(new CodrError('lease-lost', message, { object: this.id }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await ask(this.#world, async (service) => {
      if (service.life === this.#life) await service.revoke(this.id);
    }).catch(() => {});
  }

  get #deadlineMs(): number {
    return this.#confirmedMs + this.#ttlMs * (1 - marginShare);
  }

  async #watchDeadline(): Promise<void> {
    const { clock } = this.#world.station;
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const leftMs = this.#deadlineMs - clock.monotonic();
      if (leftMs > 0) await clock.sleep(leftMs, signal).catch(() => {});
      else this.lose('was not confirmed in time');
    }
  }

  async #keepAlive(): Promise<void> {
    const { service, network, station } = this.#world;
    const { clock, name } = station;
    const { signal } = this.#ended;
    let waitMs = this.#ttlMs / 3;
    while (!signal.aborted) {
      await clock.sleep(waitMs, signal).catch(() => {});
      if (signal.aborted) return;
      const askedMs = clock.monotonic();
      waitMs = 1000;
      if (!service.hasQuorum || !(await network.carry(name, serviceName))) continue;
      const isThere = service.life === this.#life && service.confirm(this.id);
      if (!(await network.carry(serviceName, name))) continue;
      await clock.pass();
      if (signal.aborted) return;
      if (!isThere) return this.lose('had expired');
      this.#confirmedMs = askedMs;
      waitMs = this.#ttlMs / 3;
    }
  }
}
