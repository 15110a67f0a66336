// A peer: the whole of CODR behind a port, and what makes it one of many. It joins the others through the
// coordinator, serves clients and peers, and begins another session when it was cut off for too long.

import { authoriseBy, everybody } from '../../api/access.ts';
import type { AuditLog } from '../../api/audit-log.ts';
import type { ClientSecurity } from '../../api/client/security.ts';
import { type Served, serve } from '../../api/grpc/serve.ts';
import type { Operation, OperationStore } from '../../api/operations.ts';
import { Semaphore } from '../../base/async.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import { FingerprintExchange } from '../../cluster/fingerprint-exchange.ts';
import { listPeers, type Peer } from '../../cluster/membership.ts';
import type { SlotAssignment } from '../../cluster/slot-codec.ts';
import { SlotFollower } from '../../cluster/slot-keeper.ts';
import { type WorkContext, type WorkOrder, WorkPool } from '../../cluster/work-pool.ts';
import { openCoordinator } from '../../coordination/all.ts';
import type { Coordinator } from '../../coordination/coordinator.ts';
import { Workers } from '../../engine/work/workers.ts';
import type { ProcessIdentity, ProcessProbe } from '../../repository/lineage/writer.ts';
import type { Repository } from '../../repository/repository.ts';
import { lagOf } from '../describe.ts';
import { EmbeddedNode } from '../embedded-node.ts';
import { redactText } from '../logger-redact.ts';
import { NodeContext, type NodeWorld } from '../node-context.ts';
import { programVersion } from '../program-version.ts';
import { registeredSources } from '../source-registry.ts';
import { AuditFile, auditToLog } from './audit-file.ts';
import { type ClusterStatus, describeCluster } from './cluster-status.ts';
import type { PeerConfig } from './peer-config.ts';
import { type Figure, PeerHttp } from './peer-http.ts';
import { PeerSession } from './peer-session.ts';
import { PeersView } from './peers-view.ts';
import { type ValueSeal, valueSeal } from './value-seal.ts';

const rejoinMs = { first: 500, max: 10_000 } as const;

export class PeerNode implements AsyncDisposable {
  readonly #config: PeerConfig;
  readonly #world: NodeWorld;
  readonly #node: NodeContext;
  readonly #api: EmbeddedNode;
  readonly #workers: Workers;
  readonly #slotsForOthers: Semaphore;
  readonly #pool: WorkPool;
  readonly #peers: PeersView;
  readonly #slots = new SlotFollower();
  readonly #stop = new AbortController();
  readonly #closing: AsyncDisposable[] = [];
  #seal: ValueSeal | undefined;
  #served: Served | undefined;
  #session: PeerSession | undefined;
  #life: Promise<void> | undefined;
  #draining = false;
  #worked = 0;

  private constructor(config: PeerConfig, world: NodeWorld, env: NodeContext['env']) {
    this.#config = config;
    this.#world = world;
    const { clock, log } = world;
    const security: ClientSecurity = { tls: config.tls ?? 'insecure' };
    this.#peers = new PeersView(config.name, clock, security);
    const slots = config.common.workers;
    this.#slotsForOthers = new Semaphore(slots);
    const places = () => this.#peers.places();
    this.#pool = new WorkPool({ slots, places, clock, log });
    this.#node = new NodeContext(config.common, world, env, {
      sharing: this.#pool,
      probe: (local) => this.#probe(local),
      describe: (lags) => this.#describe(lags),
    });
    this.#api = EmbeddedNode.over(this.#node);
    this.#workers = new Workers({ clock, openSource: (lineage) => this.#openSource(lineage) });
  }

  /**
   * Serves when it resolves. Errors: `config-invalid`, those of the repository and of the coordinator, `busy` when
   * another peer has this name.
   */
  static async start(
    config: PeerConfig,
    world: NodeWorld,
    env: NodeContext['env'],
  ): Promise<PeerNode> {
    const peer = new PeerNode(config, world, env);
    try {
      await peer.#start();
      return peer;
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `host:port` as bound. */
  get address(): string {
    return this.#served?.address ?? '';
  }

  /** Takes nothing new, hands over what it runs, waits for calls to end, and goes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#draining = true;
    const drainMs = this.#config.drainSeconds * 1000;
    this.#served?.setHealth(false);
    // Balancers take it out of their lists while it still answers.
    if (this.#session) await this.#world.clock.sleep(this.#config.balancerSeconds * 1000);
    await this.#session
      ?.drain()
      .catch((error: unknown) => this.#log.warn({ error }, 'not drained'));
    this.#stop.abort();
    await this.#served?.close({ drainMs });
    await this.#life;
    await this.#workers[Symbol.asyncDispose]();
    this.#peers[Symbol.dispose]();
    for (const one of this.#closing.reverse()) await one[Symbol.asyncDispose]();
    await this.#node[Symbol.asyncDispose]();
  }

  get #log(): Logger {
    return this.#world.log;
  }

  async #start(): Promise<void> {
    const config = this.#config;
    const { repository } = await this.#node.open('heavy');
    this.#seal = valueSeal(repository.unlocked.keys.mac);
    const { clock } = this.#world;
    const exchange = this.#exchange(repository);
    repository.joinExchange(exchange);
    this.#served = await serve({
      listen: config.listen,
      credentials: config.tls ?? 'insecure',
      api: this.#api,
      operations: this.#operations(),
      authorise: config.tls ? authoriseBy(config.access) : everybody,
      audit: await this.#audit(),
      clock,
      log: this.#log,
      redact: redactText,
      reflection: config.reflection,
      peer: {
        lookUp: (batch) => exchange.serve(batch),
        ping: async () => ({ name: config.name, epoch: this.#slots.current?.epoch.revision ?? 0 }),
      },
      work: (order, context) => this.#work(order, context),
    });
    if (config.metrics !== undefined) await this.#openHttp(config.metrics, exchange);
    const coordinator = await this.#openCoordinator();
    try {
      this.#session = await this.#join(coordinator);
    } catch (error) {
      await coordinator[Symbol.asyncDispose]();
      throw error;
    }
    this.#life = this.#live(coordinator);
  }

  /** More than this peer has slots for waits, with whoever asked, however many they are. */
  async #work(order: WorkOrder, context: WorkContext): Promise<unknown> {
    const { name } = this.#config;
    const isAway = this.#draining || this.#session === undefined;
    if (isAway) throw new CodrError('peer-lost', `peer ${name} takes no work now`);
    await this.#slotsForOthers.take();
    try {
      context.signal.throwIfAborted();
      this.#worked++;
      this.#log.debug({ kind: order.kind }, 'work for another peer');
      return await this.#workers.run(order, context);
    } finally {
      this.#slotsForOthers.give();
    }
  }

  /** Asks the peers that own a fingerprint's slot what is stored, and answers for its own slots. */
  #exchange(repository: Repository): FingerprintExchange {
    const { clock, log } = this.#world;
    const { name } = this.#config;
    const leaves = repository.committedLeaves(slotsOf(name, this.#slots), log);
    return new FingerprintExchange({
      ...{ self: name, slots: () => this.#slots.current, leaves, clock, log },
      transport: {
        call: async (peer, request, signal) => {
          const link = this.#peers.link(peer);
          if (!link) throw new CodrError('peer-lost', `peer ${peer} is not there`);
          return await link.lookUp(request, signal);
        },
      },
    });
  }

  async #openHttp(listen: string, { counts }: FingerprintExchange): Promise<void> {
    const http = await PeerHttp.open({
      listen,
      isReady: () => this.#session !== undefined && !this.#draining,
      figures: async () => [
        ['codr_operations_running', 'operations that this peer runs', this.#running],
        ['codr_work_others_total', 'pieces of work begun for other peers', this.#worked],
        ['codr_work_own_total', 'pieces of work begun for this peer', this.#pool.doneHere],
        ['codr_calls_running', 'calls that it answers right now', this.#served?.running ?? 0],
        ['codr_bytes_stored_total', 'bytes written to the store', this.#node.bytesStored],
        ['codr_fingerprints_asked_total', 'asked of the owners of slots', counts.asked],
        ['codr_fingerprints_known_total', 'known by them', counts.known],
        ['codr_fingerprints_unanswered_total', 'that nobody answered for', counts.unanswered],
        ['codr_fingerprints_served_total', 'answered for other peers', counts.served],
        ...(await this.#lags()),
      ],
    });
    this.#closing.push(http);
  }

  /** Of the sources whose backups run here. A store that does not answer costs these figures alone. */
  async #lags(): Promise<Figure[]> {
    const figures: Figure[] = [];
    try {
      for (const name of this.#session?.operations.backedUp ?? []) {
        const { context } = await this.#node.source(name);
        const lag = lagOf(context.lineage.state, context.connector, this.#world.clock.now());
        const figure = `codr_source_lag_seconds{source="${name}"}`;
        if (lag !== undefined) figures.push([figure, 'since the newest restorable time', lag]);
      }
    } catch (error) {
      this.#log.warn({ error }, 'the lag of sources is not known for the figures');
    }
    return figures;
  }

  get #running(): number {
    return this.#session?.operations.running ?? 0;
  }

  async #audit(): Promise<AuditLog> {
    const { auditFile } = this.#config;
    if (auditFile === undefined) return auditToLog(this.#log);
    const file = await AuditFile.open(auditFile);
    this.#closing.push(file);
    return file;
  }

  async #openCoordinator(): Promise<Coordinator> {
    const { etcd } = this.#config;
    const { clock, random, log } = this.#world;
    const { repository } = await this.#node.open();
    const id = repository.config.repositoryId;
    // Two repositories below one prefix have nothing to do with each other.
    const place = etcd && {
      ...etcd,
      prefix: [etcd.prefix.replace(/^\/+|\/+$/g, ''), id].filter(Boolean).join('/'),
    };
    return await openCoordinator(
      place ? 'etcd' : 'memory',
      { clock, random, log },
      {
        ...(place && { etcd: place }),
      },
    );
  }

  async #join(coordinator: Coordinator): Promise<PeerSession> {
    const { clock, random, log } = this.#world;
    const seal = this.#seal as ValueSeal;
    const self: Peer = {
      name: this.#config.name,
      address: this.#config.advertise ?? this.address,
      version: programVersion(),
      weight: this.#config.common.workers,
      state: 'up',
      startedAt: clock.now(),
    };
    return await PeerSession.join({
      ...{ coordinator, self, seal, clock, random, log, api: this.#api, redact: redactText },
      slots: this.#slots,
      relay: (name) => this.#peers.link(name)?.operations,
      seen: (peers) => {
        this.#peers.update(peers);
        this.#pool.changed();
      },
    });
  }

  /** Session after session until the peer stops. */
  async #live(first: Coordinator): Promise<void> {
    let coordinator: Coordinator | undefined = first;
    let waitMs: number = rejoinMs.first;
    while (!this.#stop.signal.aborted) {
      const session = this.#session;
      if (session) {
        waitMs = rejoinMs.first;
        await Promise.race([session.ended, aborted(this.#stop.signal)]);
        this.#session = undefined;
        await closed(session, this.#log);
        if (this.#stop.signal.aborted) break;
        this.#served?.setHealth(false);
        this.#log.warn({}, 'cut off from the other peers: all work here has stopped');
      }
      try {
        coordinator ??= await this.#openCoordinator();
        this.#session = await this.#join(coordinator);
        this.#served?.setHealth(true);
        this.#log.warn({}, 'one of the peers again');
      } catch (error) {
        this.#log.debug({ error }, 'the other peers are not reached');
        if (isCodrError(error, 'coordinator-replaced')) {
          if (coordinator) await closed(coordinator, this.#log);
          coordinator = undefined;
        }
        await this.#world.clock.sleep(waitMs, this.#stop.signal).catch(() => {});
        waitMs = Math.min(rejoinMs.max, waitMs * 2);
      }
    }
    if (coordinator) await closed(coordinator, this.#log);
  }

  /** Operations of the session that there is now. */
  #operations(): OperationStore {
    const now = (): OperationStore => {
      if (this.#session) return this.#session.operations;
      throw new CodrError(
        'peer-unreachable',
        `peer ${this.#config.name} is cut off from the others`,
        {
          remedy: 'ask another peer, or this one again later',
        },
      );
    };
    return {
      create: async (...wish): Promise<Operation> => await now().create(...wish),
      get: async (id) => await now().get(id),
      list: async () => await now().list(),
      watch: (...wish) => now().watch(...wish),
      cancel: async (id) => await now().cancel(id),
    };
  }

  async #openSource(lineage: string) {
    const { lineage: own } = await this.#node.open('heavy');
    const registered = registeredSources(own.state).find(({ id }) => id === lineage);
    if (!registered) throw new CodrError('source-unknown', 'the source is not registered');
    const { context } = await this.#node.openSource(registered, 'heavy');
    context.repository.learn(context.lineage);
    return context;
  }

  /** What `status` shows of the cluster. */
  async #describe(lags: ReadonlyMap<string, number>): Promise<ClusterStatus> {
    const session = this.#session;
    if (!session) return { peers: [], operations: [] };
    return await describeCluster(session, this.#slots.current, lags);
  }

  /** Peers are known by their registration: one that is paused for too long counts as dead. */
  #probe(local: ProcessProbe): ProcessProbe {
    const session = this.#session;
    if (!session) return local;
    const self: ProcessIdentity = { ...local.self, peer: lifeOf(session.self) };
    return {
      self,
      isAlive: async (other) => {
        if (other.peer === undefined) return await local.isAlive(other);
        const peers = await listPeers(session.coordinator);
        return peers.some((peer) => lifeOf(peer) === other.peer) ? 'alive' : 'dead';
      },
    };
  }
}

/** 1 for each slot that the peer owns; another array when the table is another one. */
function slotsOf(name: string, slots: SlotFollower): () => Uint8Array | undefined {
  let of: SlotAssignment | undefined;
  let owned: Uint8Array | undefined;
  return () => {
    const now = slots.current;
    if (now !== of) {
      of = now;
      owned = now && Uint8Array.from(now.table.owners, (_, i) => +(now.table.ownerOf(i) === name));
    }
    return owned;
  };
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
