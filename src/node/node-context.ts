// What all calls of an embedded node share: the opened repository, its sources, and the world. A light
// opening reads and commits little and works in this thread; a heavy one moves data and has workers.
import type { Status } from '../api/codr-api.ts';
import { assert } from '../base/assert.ts';
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { CodrError, isCodrError } from '../base/error.ts';
import type { FileAccess } from '../base/file-access.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Spill } from '../base/spill.ts';
import { Throttle } from '../base/throttle.ts';
import { type Job, runJob } from '../cluster/task-runner.ts';
import { alone, type Sharing } from '../cluster/work-pool.ts';
import { connectors } from '../connector/all.ts';
import type { Connector } from '../connector/connector.ts';
import { openCoordinator } from '../coordination/all.ts';
import type { Coordinator } from '../coordination/coordinator.ts';
import type { EngineWorld, SourceContext } from '../engine/source-context.ts';
import { SourcePace } from '../engine/source-pace.ts';
import { InlineSealer, type Sealer } from '../repository/frame/sealer.ts';
import type { Credential } from '../repository/keys/key-wrap.ts';
import {
  createRepository,
  type OpenedRepository,
  openRepository,
} from '../repository/keys/repository-config.ts';
import type { Lineage } from '../repository/lineage/lineage.ts';
import { CondemnedPacksError } from '../repository/lineage/pack-table.ts';
import type { ProcessProbe } from '../repository/lineage/writer.ts';
import { Repository, repositoryLineage } from '../repository/repository.ts';
import { cutParameterSet } from '../repository/tree/cut-parameters.ts';
import { openStore, prepareStore, type StoreContext } from '../storage/all.ts';
import { LimitedObjectStore } from '../storage/limited-object-store.ts';
import { MeteredObjectStore } from '../storage/metered-object-store.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { RetryingObjectStore } from '../storage/retrying-object-store.ts';
import { type Config, readKeyFile, repositoryUrl } from './config.ts';
import { currentProcess, describeProcess, isAlive } from './process-identity.ts';
import { SealingPool } from './sealing-pool.ts';
import {
  connectorFor,
  type RegisteredSource,
  registeredSources,
  resolveConfig,
  scopeOf,
  sourceNamed,
} from './source-registry.ts';

/** The machine as an embedded node sees it. */
export interface NodeWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly spill: Spill;
  readonly log: Logger;
  /** Raw bytes of one segment of a base copy; 64 MiB unless given. */
  readonly segmentBytes?: number;
  /** Of base copies, read from all sources together; absent: no limit. */
  readonly sourceBytesPerSecond?: number;
}

export type Weight = 'light' | 'heavy';

export interface OpenNode {
  readonly repository: Repository;
  /** The repository's own lineage. */
  readonly lineage: Lineage;
}

export interface OpenSource {
  readonly registered: RegisteredSource;
  readonly context: SourceContext;
}

/** What a peer of a cluster brings with it; an embedded node is a cluster of one. */
export interface ClusterParts {
  readonly sharing: Sharing;
  /** Who this process is among its peers, and what it knows of others. */
  probe(self: ProcessProbe): ProcessProbe;
  /** By slot of fingerprints 1 for those that this peer owns, as far as that is known. */
  ownedSlots(): Uint8Array | undefined;
  /** Files that another peer sees; undefined: this one is that peer. */
  peerFiles(peer: string): FileAccess | undefined;
  /** What `status` says of the cluster. `lags`: seconds by source. */
  describe(
    lags: ReadonlyMap<string, number>,
  ): Promise<Pick<Status, 'peers' | 'coordinator' | 'epoch' | 'operations'>>;
}

const leaseTtlMs = 10_000;
const taskAttempts = 8;
/** zstd level of frames: 1 costs two thirds of the CPU of 3 for a few percent more bytes. */
const compressionLevel = 1;
const segmentBytesDefault = 64 * 1024 * 1024;

export class NodeContext implements AsyncDisposable {
  readonly config: Config;
  readonly world: NodeWorld;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly connectors: readonly Connector[];
  readonly #closing: AsyncDisposable[] = [];
  #open: { readonly weight: Weight; readonly node: Promise<OpenNode> } | undefined;
  readonly #meters: MeteredObjectStore[] = [];
  #store: ObjectStore | undefined;
  #coordinator: Promise<Coordinator> | undefined;
  readonly #sharing: Sharing;
  readonly #throttle: Throttle;
  /** How fast each source is read here, by the id of the source. */
  readonly #paces = new Map<string, SourcePace>();
  /** Absent for a cluster of one. */
  readonly cluster: ClusterParts | undefined;

  constructor(config: Config, world: NodeWorld, env: NodeContext['env'], cluster?: ClusterParts) {
    this.config = config;
    this.world = world;
    this.env = env;
    this.connectors = connectors;
    this.#sharing = cluster?.sharing ?? alone(config.workers);
    this.cluster = cluster;
    this.#throttle = new Throttle(world.sourceBytesPerSecond ?? 0, world.clock);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#closing.reverse()) await one[Symbol.asyncDispose]();
  }

  /** Errors: `repository-exists`, `store-unfit`, `key-missing`; `usage` for a secret without encryption. */
  async create(encryption: boolean, signal: AbortSignal): Promise<OpenedRepository> {
    const credential = this.credential();
    if (encryption && !credential) throw new CodrError('key-missing', 'no passphrase was given');
    if (!encryption && credential) {
      throw new CodrError(
        'usage',
        'a passphrase or key file was given, and no encryption is wanted',
        {
          remedy: 'leave out the one or the other',
        },
      );
    }
    const store = this.#wrapped(
      await prepareStore(repositoryUrl(this.config), this.#storeContext(), signal),
    );
    const options = { random: this.world.random, cut: cutParameterSet };
    return await createRepository(store, encryption ? credential : undefined, options);
  }

  async store(): Promise<ObjectStore> {
    this.#store ??= this.#wrapped(
      await openStore(repositoryUrl(this.config), this.#storeContext()),
    );
    return this.#store;
  }

  /** Bytes that this node has written to its store so far, of whatever kind of object. */
  get bytesStored(): number {
    return this.#meters.reduce((sum, { meters }) => sum + meters.create.bytes, 0);
  }

  /** Calls to its store so far, tries left out, and the bytes that it has read there. */
  get storeUse(): { readonly calls: number; readonly bytesRead: number } {
    const all = this.#meters.flatMap(({ meters }) => Object.values(meters));
    return {
      calls: all.reduce((sum, { calls }) => sum + calls, 0),
      bytesRead: this.#meters.reduce((sum, { meters }) => sum + meters.get.bytes, 0),
    };
  }

  /** Passphrase or key file as configured. Errors: `config-invalid`. */
  credential(): Credential | undefined {
    const { password, keyFile } = this.config;
    if (keyFile !== undefined) return { kind: 'key-file', content: readKeyFile(keyFile) };
    return password === undefined ? undefined : { kind: 'passphrase', passphrase: password };
  }

  /** Opens once; asking for more weight than before opens anew. */
  async open(weight: Weight = 'light'): Promise<OpenNode> {
    if (this.#open && (this.#open.weight === weight || weight === 'light')) {
      const opened = await this.#open.node;
      // Peers live long, and others register sources meanwhile.
      if (this.cluster) await opened.lineage.refresh();
      return opened;
    }
    const node = this.#openNode(weight);
    const open = { weight, node };
    this.#open = open;
    try {
      return await node;
    } catch (error) {
      // A store that was away is asked again the next time.
      if (this.#open === open) this.#open = undefined;
      throw error;
    }
  }

  /** Errors: `source-unknown`. */
  async source(name: string, weight: Weight = 'light'): Promise<OpenSource> {
    const node = await this.open(weight);
    return await this.openSource(sourceNamed(node.lineage.state, name), weight);
  }

  async sources(weight: Weight = 'light'): Promise<OpenSource[]> {
    const { lineage } = await this.open(weight);
    const opened: OpenSource[] = [];
    for (const source of registeredSources(lineage.state)) {
      opened.push(await this.openSource(source, weight));
    }
    return opened;
  }

  async openSource(registered: RegisteredSource, weight: Weight): Promise<OpenSource> {
    const { repository } = await this.open(weight);
    const context: SourceContext = {
      name: registered.name,
      world: await this.engineWorld(),
      repository,
      lineage: await repository.openLineage(registered.id),
      connector: connectorFor(this.connectors, registered.uri),
      config: () => resolveConfig(registered, this.env),
      scope: scopeOf(registered),
      limits: registered.limits ?? {},
      pace: this.#paceOf(registered),
    };
    const { name, id } = registered;
    this.world.log.debug({ source: name, id, seq: context.lineage.seq, weight }, 'source opened');
    return { registered, context };
  }

  /** The share of full speed at which each source that was opened is read here. */
  get paces(): readonly { readonly source: string; readonly share: number }[] {
    return [...this.#paces.values()].map(({ name, share }) => ({ source: name, share }));
  }

  #paceOf({ id, name }: RegisteredSource): SourcePace {
    const { clock, log } = this.world;
    const there = this.#paces.get(id) ?? new SourcePace({ name, clock, log });
    this.#paces.set(id, there);
    return there;
  }

  /** Content that any source's commits hold is known: learnt before anything is stored. */
  async learnCommitted(repository: Repository): Promise<void> {
    for (const { context } of await this.sources('heavy')) repository.learn(context.lineage);
  }

  async engineWorld(): Promise<EngineWorld> {
    const { clock, random, log, spill, segmentBytes = segmentBytesDefault } = this.world;
    const { cluster } = this;
    const self = await currentProcess();
    const local: ProcessProbe = { self, isAlive };
    const probe = this.cluster?.probe(local) ?? local;
    const memoryBytesMax = this.config.memoryMib * 1024 * 1024;
    return {
      clock,
      random,
      log,
      spill,
      probe,
      limits: {
        workers: this.config.workers,
        segmentBytes,
        tickBytesMax: Math.floor(memoryBytesMax / 16),
        memoryBytesMax,
      },
      sharing: this.#sharing,
      ...(cluster && { peerFiles: (peer: string) => cluster.peerFiles(peer) }),
      throttle: this.#throttle,
      runJob: async (job, signal) => await this.#runJob(job, describeProcess(self), signal),
    };
  }

  async #runJob(job: Job, worker: string, signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.world;
    this.#coordinator ??= openCoordinator('memory', { clock, random, log });
    await runJob(job, {
      // Work that other peers take part in goes through `sharing`, piece by piece.
      coordinator: await this.#coordinator,
      worker,
      clock,
      leaseTtlMs,
      concurrency: this.#sharing.slots,
      attempts: taskAttempts,
      transient: isTransient,
      signal,
      log,
    });
  }

  async #openNode(weight: Weight): Promise<OpenNode> {
    const { clock, random, spill } = this.world;
    const store = await this.store();
    const opened = await openRepository(store, this.credential());
    const sealer = this.#sealer(weight, opened.unlocked.keys.id);
    const { cluster } = this;
    const repository = await Repository.open(
      {
        store,
        clock,
        random,
        spill,
        sealer,
        writer: describeProcess(await currentProcess()),
        memoryBytesMax: this.config.memoryMib * 1024 * 1024,
        ...(cluster && { ownedSlots: () => cluster.ownedSlots() }),
      },
      opened,
    );
    this.#closing.push(sealer, { [Symbol.asyncDispose]: () => repository.close() });
    return { repository, lineage: await repository.openLineage(repositoryLineage) };
  }

  #sealer(weight: Weight, idKey: Uint8Array): Sealer {
    const options = { idKey, level: compressionLevel };
    if (weight === 'light') return new InlineSealer(options);
    return new SealingPool({ ...options, workers: this.config.workers });
  }

  #storeContext(): StoreContext {
    const { random, log } = this.world;
    return { random, onLack: ({ what, consequence }) => log.warn({ consequence }, what) };
  }

  #wrapped(store: ObjectStore): ObjectStore {
    const { clock, random } = this.world;
    const { storeConcurrency, storeMibPerSecond } = this.config;
    const bytesPerSecond = storeMibPerSecond * 1024 * 1024;
    const limits = { concurrency: storeConcurrency, bytesPerSecond, clock };
    const limited = new LimitedObjectStore(store, limits);
    // Outermost: what was tried twice was stored once.
    const metered = new MeteredObjectStore(new RetryingObjectStore(limited, { clock, random }));
    this.#meters.push(metered);
    return metered;
  }
}

function isTransient(error: unknown): boolean {
  assert(error !== undefined, 'a task fails with an error');
  return (
    error instanceof CondemnedPacksError ||
    isCodrError(error, 'snapshot-too-old') ||
    isCodrError(error, 'source-unreachable')
  );
}

/** A random id of 16 bytes, hex. */
export function newId(random: Random): string {
  return toHex(random.bytes(16));
}
