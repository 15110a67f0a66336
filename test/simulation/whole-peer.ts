// A whole peer of a simulated world, as one process: what a peer runs, but for the wire. Its store, its coordinator
// and the other peers are reached over lines that fail. It is killed, frozen and stopped like a real one.
import type { OperationStore } from '../../src/api/operations.ts';
import { CodrError, isCodrError } from '../../src/base/error.ts';
import type { Logger } from '../../src/base/log.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { FingerprintExchange } from '../../src/cluster/fingerprint-exchange.ts';
import type { Peer } from '../../src/cluster/membership.ts';
import { WorkPool } from '../../src/cluster/work-pool.ts';
import type { SourceContext } from '../../src/engine/source-context.ts';
import { Workers } from '../../src/engine/work/workers.ts';
import { PeerLife } from '../../src/node/peer/peer-life.ts';
import { type OtherPeer, PeersView } from '../../src/node/peer/peers-view.ts';
import { valueSeal } from '../../src/node/peer/value-seal.ts';
import type { Lineage } from '../../src/repository/lineage/lineage.ts';
import type { ProcessProbe } from '../../src/repository/lineage/writer.ts';
import { type Repository, repositoryLineage } from '../../src/repository/repository.ts';
import { FaultyObjectStore } from '../../src/storage/faulty-object-store.ts';
import { RetryingObjectStore } from '../../src/storage/retrying-object-store.ts';
import {
  type ClusterWorld,
  engineWorld,
  identityOf,
  type OwnWorld,
  openRepository,
  openSource,
  tracingLogger,
} from './cluster-world.ts';
import { PeerClock } from './peer-clock.ts';
import { type AskPeer, answering, remoteOperations, runAt } from './peer-lines.ts';
import { peerApi } from './peer-operations.ts';
import { SimulatedCoordinator } from './simulated-coordinator.ts';
import type { Station } from './simulated-network.ts';

/** What one peer asks another over a link. */
interface Link {
  readonly operations: OperationStore;
  lookUp(request: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  where(request: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
}

/** Two heartbeats may be missed. */
const silenceMs = 12_000;
const lookUpMs = 5000;
/** Of any call of an operation. */
const callMs = 30_000;
const never = new AbortController().signal;

export class WholePeer implements Station {
  readonly name: string;
  readonly clock: PeerClock;
  readonly store: FaultyObjectStore;
  readonly life: PeerLife;
  isDead = false;
  /** Sources that it reads now, under pins. */
  readonly reading = new Set<SourceContext>();
  readonly #world: ClusterWorld;
  readonly #own: OwnWorld;
  readonly #log: Logger;
  readonly #pool: WorkPool;
  readonly #peers: PeersView<Link>;
  readonly #workers: Workers;
  readonly #repository: Repository;
  readonly #exchange: FingerprintExchange;
  #registry: Lineage | undefined;

  /** Opens the repository without faults: what is compiled on the way must not meet the simulated clock. */
  static async start(name: string, number: number, world: ClusterWorld): Promise<WholePeer> {
    const random = new SeededRandom(world.seed * 1000 + number);
    const clock = new PeerClock(world.clock, random);
    const faulty = new FaultyObjectStore(world.store, { random, clock: world.clock });
    const store = new RetryingObjectStore(answering(faulty, clock), { clock, random, attempts: 3 });
    const log = tracingLogger(name, world);
    let life: PeerLife | undefined;
    // Every other peer has no filter of the index, as if all objects were of others: it must ask for each leaf.
    const ownedSlots = () => (number % 2 === 0 ? undefined : life?.ownedSlots());
    const own = { clock, random, store, log, ownedSlots };
    const repository = await openRepository(name, world, own);
    const peer = new WholePeer(name, world, own, { clock, faulty, repository });
    life = peer.life;
    return peer;
  }

  private constructor(
    name: string,
    world: ClusterWorld,
    own: OwnWorld,
    parts: { clock: PeerClock; faulty: FaultyObjectStore; repository: Repository },
  ) {
    const { clock, repository } = parts;
    const { random, log } = own;
    const { limits } = world;
    this.name = name;
    this.clock = clock;
    this.store = parts.faulty;
    this.#world = world;
    this.#own = own;
    this.#log = log;
    this.#repository = repository;
    this.#peers = new PeersView(name, (peer) => this.#openOther(peer));
    const slots = limits.workers;
    this.#pool = new WorkPool({ slots, places: () => this.#peers.places(), clock, log });
    const api = peerApi({
      ...{ repository, clock },
      registered: () => this.#registered(),
      open: (source) => this.#openSource(source),
      probe: () => this.probe(),
      reading: this.reading,
    });
    this.#workers = new Workers({
      clock,
      openSource: async (source) => {
        const context = await this.#openSource(source);
        repository.learn(context.lineage);
        return context;
      },
      openRepository: async () => repository,
    });
    const redact = (text: string): string => text;
    this.life = new PeerLife({
      ...{ name, slots, clock, random, log, redact, api, workers: this.#workers },
    });
    this.#exchange = this.life.exchange(repository, {
      call: async (peer, request, signal) => {
        const link = this.#peers.link(peer);
        if (!link) throw new CodrError('peer-lost', `${peer} is not there`);
        return await link.lookUp(request, signal);
      },
      where: async (peer, request, signal) => {
        const link = this.#peers.link(peer);
        if (!link) throw new CodrError('peer-lost', `${peer} is not there`);
        return await link.where(request, signal);
      },
    });
    repository.joinExchange(this.#exchange);
  }

  /** Joins the others; a peer that cannot is a process that ends. */
  join(): void {
    const { service, network, opened } = this.#world;
    const self = { name: this.name, address: this.name, version: '1' };
    const started = this.life.start({
      seal: valueSeal(opened.unlocked.keys.mac),
      self: () => ({ ...self, weight: this.#world.limits.workers }),
      openCoordinator: () => SimulatedCoordinator.open({ service, network, station: this }),
      relay: (name) => this.#peers.link(name)?.operations,
      seen: (peers) => {
        this.#peers.update(peers);
        this.#pool.changed();
      },
      reachable: () => {},
    });
    started.catch((error: unknown) => {
      if (!isCodrError(error)) this.#world.broken(error);
      this.#log.warn({ error }, 'did not join');
      this.kill();
    });
  }

  /** Its memory is gone, and what was on its way arrives or not. */
  kill(): void {
    this.isDead = true;
    this.clock.freeze();
    this.store.crash();
  }

  /** Takes nothing new, hands over what it runs, and goes. */
  stop(): void {
    const stopped = async (): Promise<void> => {
      this.life.refuseWork();
      await this.life.drain().catch((error: unknown) => this.#log.warn({ error }, 'not drained'));
      this.life.leave();
      await this.life.left();
      await this.#workers[Symbol.asyncDispose]();
      this.#peers[Symbol.dispose]();
      await this.#repository.close();
      this.#log.info({}, 'has stopped');
      this.kill();
    };
    stopped().catch((error: unknown) => this.#world.broken(error));
  }

  /** The answer to a batch of fingerprints. */
  async lookUp(request: Uint8Array): Promise<Uint8Array> {
    return await this.#exchange.serve(request);
  }

  /** The answer to a question about places. */
  async where(request: Uint8Array): Promise<Uint8Array> {
    return await this.#exchange.serveWhere(request);
  }

  get counts(): FingerprintExchange['counts'] {
    return this.#exchange.counts;
  }

  /** Who lives, as far as this peer hears of it. */
  probe(): ProcessProbe {
    const local: ProcessProbe = {
      self: identityOf(this.name),
      isAlive: async ({ host }) => (host === 'reader' ? 'alive' : 'unknown'),
    };
    return this.life.probe(local);
  }

  async #registered(): Promise<readonly string[]> {
    this.#registry ??= await this.#repository.openLineage(repositoryLineage);
    await this.#registry.refresh();
    return this.#registry.state.keys('source');
  }

  async #openSource(source: string): Promise<SourceContext> {
    const { name } = this;
    const outside = { sharing: this.#pool, probe: this.probe() };
    const world = engineWorld(name, this.#world, this.#own, outside);
    return await openSource(source, this.#world, this.#repository, world);
  }

  /** One life of another peer; whatever process has its address answers. */
  #openOther({ name, weight }: Peer): OtherPeer<Link> {
    const gone = new AbortController();
    const askFor =
      (patienceMs: number, beats = false, signal: AbortSignal = never): AskPeer =>
      async (work) => {
        const { network, peers } = this.#world;
        const to = peers.get(name) as WholePeer;
        const ended = AbortSignal.any([signal, gone.signal]);
        const question = { from: this, to, patienceMs, beats, signal: ended };
        return await network.ask({ ...question, work: (stop) => work(to, stop) });
      };
    const close = (): void => gone.abort(new CodrError('peer-unreachable', `${name} has gone`));
    return {
      place: {
        ...{ name, slots: weight },
        run: (order, context) =>
          runAt(name, order, context, askFor(silenceMs, true, context.signal)),
        [Symbol.dispose]: close,
      },
      link: {
        operations: remoteOperations(askFor(callMs)),
        lookUp: async (batch, signal) =>
          await askFor(lookUpMs, false, signal)((peer) => peer.lookUp(batch)),
        where: async (batch, signal) =>
          await askFor(lookUpMs, false, signal)((peer) => peer.where(batch)),
        [Symbol.dispose]: close,
      },
    };
  }
}
