// A peer: the whole of CODR behind a port, and what makes it one of many. It joins the others through the
// coordinator, serves clients and peers, and begins another session when it was cut off for too long.

import { authoriseBy, everybody } from '../../api/access.ts';
import type { AuditLog } from '../../api/audit-log.ts';
import { PeerLink } from '../../api/client/peer-link.ts';
import { RemoteFiles } from '../../api/client/remote-files.ts';
import { RemoteWorkplace } from '../../api/client/remote-workplace.ts';
import type { ClientSecurity } from '../../api/client/security.ts';
import { HeldCertificates } from '../../api/grpc/held-certificates.ts';
import { type Served, serve } from '../../api/grpc/serve.ts';
import { CodrError } from '../../base/error.ts';
import type { FileAccess } from '../../base/file-access.ts';
import type { Logger } from '../../base/log.ts';
import type { FingerprintExchange } from '../../cluster/fingerprint-exchange.ts';
import type { Peer } from '../../cluster/membership.ts';
import { WorkPool } from '../../cluster/work-pool.ts';
import { openCoordinator } from '../../coordination/all.ts';
import type { Coordinator } from '../../coordination/coordinator.ts';
import { Workers } from '../../engine/work/workers.ts';
import { lagOf } from '../describe.ts';
import { EmbeddedNode } from '../embedded-node.ts';
import { redactText } from '../logger-redact.ts';
import { NodeContext, type NodeWorld } from '../node-context.ts';
import { programVersion } from '../program-version.ts';
import { registeredSources } from '../source-registry.ts';
import { AuditFile, auditToLog } from './audit-file.ts';
import { watchCertificates } from './certificate-watch.ts';
import { type ClusterStatus, describeCluster } from './cluster-status.ts';
import type { PeerConfig, Pem } from './peer-config.ts';
import { type Figure, PeerHttp } from './peer-http.ts';
import { PeerLife } from './peer-life.ts';
import type { PeerSession } from './peer-session.ts';
import { PeersView } from './peers-view.ts';
import { valueSeal } from './value-seal.ts';

/** What a peer needs of its process. */
export interface PeerWorld extends NodeWorld {
  /** Where who changes something is written down without an audit file: a log that leaves nothing out. */
  readonly audit: Logger;
}

export class PeerNode implements AsyncDisposable {
  readonly #config: PeerConfig;
  readonly #world: PeerWorld;
  readonly #node: NodeContext;
  readonly #api: EmbeddedNode;
  readonly #workers: Workers;
  readonly #pool: WorkPool;
  readonly #peers: PeersView<PeerLink>;
  readonly #life: PeerLife;
  readonly #closing: AsyncDisposable[] = [];
  /** Certificates by which it proves itself to other peers. */
  readonly #held: HeldCertificates | undefined;
  /** By peer. */
  readonly #files = new Map<string, RemoteFiles>();
  #served: Served | undefined;

  private constructor(config: PeerConfig, world: PeerWorld, env: NodeContext['env']) {
    this.#config = config;
    this.#world = world;
    const { clock, random, log } = world;
    this.#held = config.tls && new HeldCertificates(config.tls);
    const security: ClientSecurity = {
      tls: config.tls ?? 'insecure',
      ...(this.#held && { held: this.#held }),
    };
    this.#peers = new PeersView(config.name, ({ name, address, weight }) => {
      const target = { ...security, address, clock };
      const place = new RemoteWorkplace({ name, slots: weight }, target);
      return { place, link: new PeerLink(target) };
    });
    const slots = config.common.workers;
    const places = () => this.#peers.places();
    this.#pool = new WorkPool({ slots, places, clock, log, self: config.name, cpuMs });
    this.#node = new NodeContext(config.common, world, env, {
      sharing: this.#pool,
      probe: (local) => this.#life.probe(local),
      describe: (lags) => this.#describe(lags),
      peerFiles: (peer) => this.#peerFiles(peer),
      ownedSlots: () => this.#life.ownedSlots(),
    });
    this.#api = EmbeddedNode.over(this.#node);
    this.#workers = new Workers({
      clock,
      openSource: (lineage) => this.#openSource(lineage),
      openRepository: async () => (await this.#node.open('heavy')).repository,
    });
    this.#life = new PeerLife({
      ...{ name: config.name, slots, clock, random, log, redact: redactText },
      ...{ api: this.#api, workers: this.#workers },
    });
  }

  /**
   * Serves when it resolves. Errors: `config-invalid`, those of the repository and of the coordinator, `busy` when
   * another peer has this name.
   */
  static async start(
    config: PeerConfig,
    world: PeerWorld,
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
    this.#life.refuseWork();
    const drainMs = this.#config.drainSeconds * 1000;
    this.#served?.setHealth(false);
    // Balancers take it out of their lists while it still answers.
    if (this.#session) await this.#world.clock.sleep(this.#config.balancerSeconds * 1000);
    await this.#life.drain().catch((error: unknown) => this.#log.warn({ error }, 'not drained'));
    this.#life.leave();
    await this.#served?.close({ drainMs });
    await this.#life.left();
    await this.#workers[Symbol.asyncDispose]();
    this.#peers[Symbol.dispose]();
    for (const one of this.#closing.reverse()) await one[Symbol.asyncDispose]();
    await this.#node[Symbol.asyncDispose]();
  }

  #peerFiles(peer: string): FileAccess | undefined {
    if (peer === this.#config.name) return undefined;
    const { clock } = this.#world;
    const channel = () => this.#peers.link(peer)?.channel;
    const known = this.#files.get(peer) ?? new RemoteFiles({ peer, channel, clock });
    this.#files.set(peer, known);
    return known;
  }

  get #log(): Logger {
    return this.#world.log;
  }

  get #session(): PeerSession | undefined {
    return this.#life.session;
  }

  async #start(): Promise<void> {
    const config = this.#config;
    const { repository } = await this.#node.open('heavy');
    const { clock } = this.#world;
    const exchange = this.#life.exchange(repository, {
      call: async (peer, request, signal) => {
        const link = this.#peers.link(peer);
        if (!link) throw new CodrError('peer-lost', `peer ${peer} is not there`);
        return await link.lookUp(request, signal);
      },
      where: async (peer, request, signal) => {
        const link = this.#peers.link(peer);
        if (!link) throw new CodrError('peer-lost', `peer ${peer} is not there`);
        return await link.where(request, signal);
      },
    });
    repository.joinExchange(exchange);
    // One kind of source has files; without roots everything is refused, and the error says what to configure.
    const kind = this.#node.connectors.find(({ serveFiles }) => serveFiles);
    const files = kind?.serveFiles?.(config.files);
    this.#served = await serve({
      listen: config.listen,
      credentials: config.tls ?? 'insecure',
      api: this.#api,
      operations: this.#life.operations,
      authorise: config.tls ? authoriseBy(config.access) : everybody,
      audit: await this.#audit(),
      clock,
      log: this.#log,
      redact: redactText,
      reflection: config.reflection,
      ...(files && { files }),
      peer: {
        lookUp: (batch) => exchange.serve(batch),
        where: (batch) => exchange.serveWhere(batch),
        ping: async () => ({
          name: config.name,
          epoch: this.#life.slots.current?.epoch.revision ?? 0,
        }),
      },
      work: (order, context) => this.#life.work(order, context),
      cpuMs,
    });
    this.#watchCertificates();
    if (config.metrics !== undefined) await this.#openHttp(config.metrics, exchange);
    await this.#life.start({
      seal: valueSeal(repository.unlocked.keys.mac),
      self: () => this.#self(),
      openCoordinator: () => this.#openCoordinator(),
      relay: (name) => this.#peers.link(name)?.operations,
      seen: (peers) => {
        this.#peers.update(peers);
        this.#pool.changed();
      },
      reachable: (isReachable) => this.#served?.setHealth(isReachable),
    });
  }

  /** Until it stops. */
  #watchCertificates(): void {
    const { tls } = this.#config;
    if (!tls) return;
    const stop = new AbortController();
    const renew = (newer: Pem): void => {
      this.#held?.hold(newer);
      this.#served?.renew(newer);
    };
    const { clock, log } = this.#world;
    const watching = watchCertificates(tls, renew, { clock, log, signal: stop.signal });
    this.#closing.push({
      [Symbol.asyncDispose]: async () => {
        stop.abort();
        await watching;
      },
    });
  }

  #self(): Omit<Peer, 'state' | 'startedAt'> {
    return {
      name: this.#config.name,
      address: this.#config.advertise ?? this.address,
      version: programVersion(),
      weight: this.#config.common.workers,
    };
  }

  async #openHttp(listen: string, { counts }: FingerprintExchange): Promise<void> {
    const http = await PeerHttp.open({
      listen,
      isReady: () => this.#life.isReady,
      figures: async () => [
        ['codr_operations_running', 'operations that this peer runs', this.#running],
        ['codr_work_others_total', 'pieces of work begun for other peers', this.#life.worked],
        ['codr_work_own_total', 'pieces of work begun for this peer', this.#pool.doneHere],
        ['codr_calls_running', 'calls that it answers right now', this.#served?.running ?? 0],
        ...this.#fileFigures,
        ...this.#storeFigures,
        ['codr_fingerprints_asked_total', 'asked of the owners of slots', counts.asked],
        ['codr_fingerprints_known_total', 'known by them', counts.known],
        ['codr_fingerprints_unanswered_total', 'that nobody answered for', counts.unanswered],
        ['codr_fingerprints_served_total', 'answered for other peers', counts.served],
        ['codr_leaves_located_total', 'whose place owners of slots said', counts.located],
        ...(await this.#lags()),
        ...this.#node.paces.map(({ source, share }): Figure => {
          const help = 'share of full speed at which it is read here: less under pressure';
          return [`codr_source_pace{source="${source}"}`, help, share];
        }),
      ],
    });
    this.#closing.push(http);
  }

  get #storeFigures(): Figure[] {
    const { bytesStored, storeUse } = this.#node;
    return [
      ['codr_bytes_stored_total', 'bytes written to the store', bytesStored],
      ['codr_store_read_bytes_total', 'bytes read from the store', storeUse.bytesRead],
      [
        'codr_store_calls_total',
        'calls to the store, each once however often tried',
        storeUse.calls,
      ],
    ];
  }

  get #fileFigures(): Figure[] {
    const { read = 0, written = 0 } = this.#served?.fileBytes ?? {};
    return [
      ['codr_files_read_bytes_total', 'bytes of files here that other peers have read', read],
      ['codr_files_written_bytes_total', 'bytes of files that other peers wrote here', written],
    ];
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
    if (auditFile === undefined) return auditToLog(this.#world.audit);
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
    const { current } = this.#life.slots;
    const told = await this.#life.joined((session) => describeCluster(session, current, lags));
    return told ?? { peers: [], operations: [] };
  }
}

/** What the processors have worked for this process so far. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
