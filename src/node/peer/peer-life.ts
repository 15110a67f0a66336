// What a peer is among its equals, whatever carries the calls between them: session after session under a lease,
// each with the operations that it runs, and what is known of other peers by their registration.
import type { CodrApi } from '../../api/codr-api.ts';
import type { OperationEvent, OperationStore } from '../../api/operations.ts';
import { BrokenPromiseError } from '../../base/assert.ts';
import { Semaphore } from '../../base/async.ts';
import type { Clock } from '../../base/clock.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { FingerprintExchange } from '../../cluster/fingerprint-exchange.ts';
import { listPeers, type Peer } from '../../cluster/membership.ts';
import type { PeerTransport } from '../../cluster/peer-line.ts';
import type { SlotAssignment } from '../../cluster/slot-codec.ts';
import { SlotFollower } from '../../cluster/slot-keeper.ts';
import type { WorkContext, WorkOrder } from '../../cluster/work-pool.ts';
import type { Coordinator } from '../../coordination/coordinator.ts';
import type { Workers } from '../../engine/work/workers.ts';
import type { CommittedLeaves } from '../../repository/known/committed-leaves.ts';
import type { ProcessIdentity, ProcessProbe } from '../../repository/lineage/writer.ts';
import type { Repository } from '../../repository/repository.ts';
import { PeerSession } from './peer-session.ts';
import type { ValueSeal } from './value-seal.ts';

export interface PeerLifeOptions {
  readonly name: string;
  /** Pieces of work that it does for others at a time. */
  readonly slots: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly redact: (text: string) => string;
  readonly api: CodrApi;
  readonly workers: Workers;
}

/** What is known once the repository is open and the port is bound. */
export interface PeerPlace {
  readonly seal: ValueSeal;
  /** Asked at each joining. */
  self(): Omit<Peer, 'state' | 'startedAt'>;
  openCoordinator(): Promise<Coordinator>;
  /** The operations of another peer, where it can be reached. */
  relay(peer: string): OperationStore | undefined;
  /** Called whenever peers came or went. */
  seen(peers: readonly Peer[]): void;
  /** Called when it is cut off from the others, and when it is back. */
  reachable(isReachable: boolean): void;
}

const rejoinMs = { first: 500, max: 10_000 } as const;
/** How long a peer that begins reads what is committed before it takes slots all the same. */
const readFirstMs = 30_000;

export class PeerLife {
  /** The table of slots, over all sessions. */
  readonly slots = new SlotFollower();
  readonly #options: PeerLifeOptions;
  readonly #slotsForOthers: Semaphore;
  readonly #stop = new AbortController();
  #session: PeerSession | undefined;
  #leaves: CommittedLeaves | undefined;
  #running: Promise<void> | undefined;
  #draining = false;
  #worked = 0;
  #ownedOf: SlotAssignment | undefined;
  #owned: Uint8Array | undefined;

  constructor(options: PeerLifeOptions) {
    this.#options = options;
    this.#slotsForOthers = new Semaphore(options.slots);
  }

  /** Absent while it is cut off. */
  get session(): PeerSession | undefined {
    return this.#session;
  }

  get isReady(): boolean {
    return this.#session?.lost.aborted === false && !this.#draining;
  }

  /** Pieces of work begun for others. */
  get worked(): number {
    return this.#worked;
  }

  /** Asks the peers that own a fingerprint's slot what is stored, and answers for its own slots. */
  exchange(repository: Repository, transport: PeerTransport): FingerprintExchange {
    const { name, clock, log } = this.#options;
    const leaves = repository.committedLeaves(() => this.ownedSlots(), log);
    this.#leaves = leaves;
    const slots = (): SlotAssignment | undefined => this.slots.current;
    return new FingerprintExchange({ self: name, slots, leaves, clock, log, transport });
  }

  /** Joins, and goes on joining until it is stopped. Errors: those of the coordinator; `busy` for a taken name. */
  async start(place: PeerPlace): Promise<void> {
    const coordinator = await place.openCoordinator();
    try {
      await this.#readFirst();
      this.#session = await this.#join(coordinator, place);
    } catch (error) {
      await coordinator[Symbol.asyncDispose]();
      throw error;
    }
    this.#running = this.#live(coordinator, place);
  }

  /** Until it can answer for slots, those who have them now shall go on to. */
  async #readFirst(): Promise<void> {
    const { clock, log } = this.#options;
    if (!this.#leaves) return;
    const done = new AbortController();
    const late = async (): Promise<void> => {
      await clock.sleep(readFirstMs, done.signal);
      log.warn(
        {},
        'it takes long to read what is committed: until then equal data is stored twice',
      );
    };
    const read = this.#leaves.settled().finally(() => done.abort());
    await Promise.race([read, late().catch(() => {})]);
  }

  /** Takes nothing new from now on. */
  refuseWork(): void {
    this.#draining = true;
  }

  /** Hands over what it runs. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#session?.drain();
  }

  /** Leaves the others at the end of {@link left}. */
  leave(): void {
    this.#stop.abort();
  }

  async left(): Promise<void> {
    await this.#running;
  }

  /** More than this peer has slots for waits, with whoever asked, however many they are. */
  async work(order: WorkOrder, context: WorkContext): Promise<unknown> {
    const { name, log, workers } = this.#options;
    if (!this.isReady) throw new CodrError('peer-lost', `peer ${name} takes no work now`);
    await this.#slotsForOthers.take();
    try {
      context.signal.throwIfAborted();
      this.#worked++;
      log.debug({ kind: order.kind }, 'work for another peer');
      return await workers.run(order, context);
    } finally {
      this.#slotsForOthers.give();
    }
  }

  /** Of the session that there is now. */
  readonly operations: OperationStore = {
    create: (...wish) => this.#ask((store) => store.create(...wish)),
    get: (id) => this.#ask((store) => store.get(id)),
    list: (only) => this.#ask((store) => store.list(only)),
    watch: (...wish) => this.#watch(...wish),
    cancel: (id) => this.#ask((store) => store.cancel(id)),
  };

  /** Peers are known by their registration: one that is paused for too long counts as dead. */
  probe(local: ProcessProbe): ProcessProbe {
    const session = this.#session;
    if (!session) return local;
    const self: ProcessIdentity = { ...local.self, peer: lifeOf(session.self) };
    return {
      self,
      isAlive: async (other) => {
        if (other.peer === undefined) return await local.isAlive(other);
        const peers = await this.#within(session, () => listPeers(session.coordinator));
        return peers.some((peer) => lifeOf(peer) === other.peer) ? 'alive' : 'dead';
      },
    };
  }

  /** 1 for each slot that this peer owns; another array when the table is another one. */
  ownedSlots(): Uint8Array | undefined {
    const { name } = this.#options;
    const now = this.slots.current;
    if (now !== this.#ownedOf) {
      this.#ownedOf = now;
      this.#owned = now?.table.ownedBy(name);
    }
    return this.#owned;
  }

  /** By the session that there is now; undefined when there is none. Errors: `peer-unreachable` when it ends meanwhile. */
  async joined<T>(work: (session: PeerSession) => Promise<T>): Promise<T | undefined> {
    const session = this.#session;
    return session && (await this.#within(session, work));
  }

  async #ask<T>(work: (store: OperationStore) => Promise<T>): Promise<T> {
    const session = this.#session;
    if (!session) throw this.#cutOff(undefined);
    return await this.#within(session, ({ operations }) => work(operations));
  }

  async #within<T>(session: PeerSession, work: (session: PeerSession) => Promise<T>): Promise<T> {
    try {
      return await work(session);
    } catch (error) {
      throw this.#endedWith(session, error);
    }
  }

  async *#watch(...wish: Parameters<OperationStore['watch']>): AsyncGenerator<OperationEvent> {
    const session = this.#session;
    if (!session) throw this.#cutOff(undefined);
    try {
      yield* session.operations.watch(...wish);
    } catch (error) {
      throw this.#endedWith(session, error);
    }
  }

  /** A call that is under way when its session ends meets a coordinator that is closed. */
  #endedWith(session: PeerSession, error: unknown): unknown {
    const isOver = this.#session !== session && error instanceof BrokenPromiseError;
    return isOver ? this.#cutOff(error) : error;
  }

  #cutOff(cause: unknown): CodrError {
    const message = `peer ${this.#options.name} is cut off from the others`;
    const remedy = 'ask another peer, or this one again later';
    return new CodrError('peer-unreachable', message, { remedy, cause });
  }

  async #join(coordinator: Coordinator, place: PeerPlace): Promise<PeerSession> {
    const { clock, random, log, redact, api } = this.#options;
    const { seal, relay, seen } = place;
    const self: Peer = { ...place.self(), state: 'up', startedAt: clock.now() };
    return await PeerSession.join({
      ...{ coordinator, self, seal, clock, random, log, api, redact },
      ...{ slots: this.slots, relay, seen },
    });
  }

  /** Session after session until the peer stops. */
  async #live(first: Coordinator, place: PeerPlace): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stop;
    let coordinator: Coordinator | undefined = first;
    let waitMs: number = rejoinMs.first;
    while (!signal.aborted) {
      const session = this.#session;
      if (session) {
        waitMs = rejoinMs.first;
        await Promise.race([session.ended, aborted(session.lost), aborted(signal)]);
        if (!signal.aborted) place.reachable(false);
        // What it runs may take its time to stop.
        await Promise.race([session.ended, aborted(signal)]);
        this.#session = undefined;
        await closed(session, log);
        if (signal.aborted) break;
        log.warn({}, 'cut off from the other peers: all work here has stopped');
      }
      try {
        coordinator ??= await place.openCoordinator();
        this.#session = await this.#join(coordinator, place);
        place.reachable(true);
        log.warn({}, 'one of the peers again');
      } catch (error) {
        log.debug({ error }, 'the other peers are not reached');
        if (isCodrError(error, 'coordinator-replaced')) {
          if (coordinator) await closed(coordinator, log);
          coordinator = undefined;
        }
        await clock.sleep(waitMs, signal).catch(() => {});
        waitMs = Math.min(rejoinMs.max, waitMs * 2);
      }
    }
    // One that was joined while this peer was told to stop.
    const last = this.#session;
    this.#session = undefined;
    if (last) await closed(last, log);
    if (coordinator) await closed(coordinator, log);
  }
}

function lifeOf({ name, startedAt }: Peer): string {
  return `${name} ${startedAt}`;
}

/** What cannot say goodbye is gone all the same. */
async function closed(one: AsyncDisposable, log: Logger): Promise<void> {
  try {
    await one[Symbol.asyncDispose]();
  } catch (error) {
    log.info({ error }, 'not closed in good order');
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  );
}
