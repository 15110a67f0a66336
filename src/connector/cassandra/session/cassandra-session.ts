// A live Cassandra cluster as the engine sees it: who answers, what may be asked, and cuts. It has no ordered
// log and no snapshot of the whole cluster, so nothing here follows or reads a segment.
import { assert } from '../../../base/assert.ts';
import { toHex } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import type { FilesOf } from '../../../base/file-access.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import { type Scope, scopeHolds } from '../../../model/namespace.ts';
import type { RecordStream } from '../../../model/record.ts';
import { firstTime, lastTime, type SourceTime } from '../../../model/time.ts';
import type {
  ChangeBatch,
  ConnectorContext,
  CutBefore,
  CutReader,
  Finding,
  SegmentReader,
  SourceConfig,
  SourceIdentity,
  SourceSession,
  Survey,
} from '../../connector.ts';
import type { CutPartReader } from '../../cut-dataset.ts';
import {
  type CassandraConfig,
  ourPath,
  parseCassandraConfig,
  pathsOf,
  serverPath,
} from './cassandra-config.ts';
import { checkCassandra } from './check-cassandra.ts';
import { type CqlSession, openCql } from './cql.ts';
import { stateOfMemory } from './cut-memory.ts';
import { CassandraCut, cutStream } from './cut-reader.ts';
import { giveUpLinks } from './link-limit.ts';
import { linksOwner, markName } from './links-owner.ts';
import { localFiles } from './local-files.ts';
import { MergePool } from './merge-pool.ts';
import type { CutNode } from './node-cut.ts';
import { openControl } from './open-control.ts';
import type { SortingSpace } from './owned-blocks.ts';
import { CassandraPartReader } from './part-reader.ts';
import { ClusterPressure } from './pressure.ts';
import { stopLinks } from './release-cut.ts';
import { clusterId, readRing } from './ring.ts';
import { takeCut } from './take-cut.ts';

/** The part of the memory in which files of another order are sorted, of a table. */
const sortingShare = 8;

export class CassandraSession implements SourceSession {
  readonly identity: SourceIdentity;
  readonly #config: CassandraConfig;
  readonly #context: ConnectorContext;
  readonly #cql: CqlSession;
  readonly #nodes: readonly CutNode[];
  readonly #pool: MergePool | undefined;
  readonly #pressure = new ClusterPressure();

  private constructor(
    identity: SourceIdentity,
    opened: { config: CassandraConfig; cql: CqlSession; nodes: readonly CutNode[] },
    context: ConnectorContext,
  ) {
    this.identity = identity;
    this.#config = opened.config;
    this.#cql = opened.cql;
    this.#nodes = opened.nodes;
    this.#context = context;
    this.#pool = context.workers ? new MergePool(context.workers) : undefined;
  }

  /** Errors: `config-invalid`, `source-unreachable`, `source-rights`, `source-unfit`. */
  static async open(
    source: SourceConfig,
    context: ConnectorContext,
    signal: AbortSignal,
  ): Promise<CassandraSession> {
    const config = configOf(source);
    const cql = await openCql(config, signal);
    try {
      const nodes = cutNodes(config, filesOf(context));
      const ring = await readRing(
        cql,
        nodes.map(({ control }) => control),
        signal,
      );
      const identity = { id: clusterId(ring), version: ring.version, streams: [cutStream] };
      return new CassandraSession(identity, { config, cql, nodes }, context);
    } catch (error) {
      await cql[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.[Symbol.asyncDispose]();
    await this.#cql[Symbol.asyncDispose]();
  }

  async check(scope: Scope, signal: AbortSignal): Promise<Finding[]> {
    const wants = (keyspace: string, table: string): boolean =>
      scopeHolds(scope, `${keyspace}.${table}`);
    const { clock } = this.#context;
    const [cql, nodes, config, owner] = [this.#cql, this.#nodes, this.#config, this.#owner()];
    const within = { scope: wants, include: scope.include };
    return await checkCassandra({ cql, nodes, config, owner, ...within, clock, signal });
  }

  async cut(
    before: CutBefore | undefined,
    scope: Scope,
    signal: AbortSignal,
    tell?: (what: string) => void,
  ): Promise<CutReader> {
    const { clock, log, random } = this.#context;
    const { datacenters, ownsBackups, linkLimit, pendingCompactionsMax } = this.#config;
    const owner = this.#owner();
    const state = stateOfMemory(before?.memory);
    if (this.#nodes.length === 0) throw nodesMissing();
    const taken = await takeCut({
      cql: this.#cql,
      nodes: this.#nodes,
      ...{ datacenters, linkLimit, pendingCompactionsMax, tell, owner, ownsBackups },
      scope: (keyspace, table) => scopeHolds(scope, `${keyspace}.${table}`),
      state,
      id: toHex(random.bytes(6)),
      clock,
      log,
      signal,
    });
    return new CassandraCut({
      ...{ taken, before, state, datacenters, pool: this.#pool, log },
      sorting: sortingSpace(this.#context),
      filesOf: filesOf(this.#context),
    });
  }

  /** Links that hold more than they may are given up between two cuts too. */
  async tend(signal: AbortSignal): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (const node of this.#nodes) {
      try {
        if ((await linksOwner(node, this.#owner())).is !== 'ours') continue;
        const reason = await giveUpLinks(node, this.#config.linkLimit, signal);
        if (reason === undefined) continue;
        const message = `node ${node.address}: ${reason}: they were removed, and no more are made`;
        findings.push({ level: 'warning', message, remedy: 'the next cut reads its live files' });
      } catch (error) {
        signal.throwIfAborted();
        const message = `node ${node.address}: its links cannot be looked after: ${String(error)}`;
        findings.push({ level: 'warning', message, remedy: 'see codr source check' });
      }
    }
    return findings;
  }

  /** Switches links off where they are ours, and removes links, snapshots and marks; what is another's stays. */
  async release(signal: AbortSignal): Promise<Finding[]> {
    const reached: CutNode[] = [];
    const unread: { address: string; reason: string }[] = [];
    for (const node of this.#nodes) {
      try {
        for (const directory of node.dataDirectories) await node.files.stat(directory);
        reached.push(node);
      } catch (error) {
        unread.push({ address: node.address, reason: (error as Error).message });
      }
    }
    const failed = await stopLinks(reached, this.#owner(), signal);
    return [...unread, ...failed].map(({ address, reason }) => {
      const left = leftAtNodes([address]);
      return { ...left, message: `${left.message}: ${reason}` };
    });
  }

  #owner(): string {
    const { owner } = this.#context;
    assert(owner, 'who takes cuts is called by a name of its own');
    return owner;
  }

  pressure(signal: AbortSignal): Promise<string | undefined> {
    const controls = this.#nodes.map(({ control }) => control);
    return this.#pressure.look(controls, signal);
  }

  /** What a live cluster holds cannot be said without a cut. */
  survey(): Promise<Survey> {
    return Promise.reject(noLog('a survey'));
  }

  plan(): Promise<KeyRange[]> {
    return Promise.reject(noLog('a plan of segments'));
  }

  readSegment(): Promise<SegmentReader | undefined> {
    return Promise.reject(noLog('a segment'));
  }

  // biome-ignore lint/correctness/useYield: it only refuses
  async *follow(): AsyncGenerator<ChangeBatch, void, void> {
    throw noLog('a log to follow');
  }

  watermark(): Promise<SourceTime> {
    return Promise.reject(noLog('a watermark'));
  }

  async logBounds(): Promise<{ oldest: SourceTime; newest: SourceTime }> {
    return { oldest: firstTime, newest: lastTime };
  }

  async readAt(): Promise<RecordStream | undefined> {
    return undefined;
  }
}

/** A URI names contact points; a file names the rest, and its secret arrives beside it. */
export function configOf({ uri, settings, password }: SourceConfig): CassandraConfig {
  if (!settings) return parseCassandraConfig(uri);
  return parseCassandraConfig({ ...settings, ...(password !== undefined && { password }) });
}

/** What a release that fails leaves. */
export function leftAtNodes(addresses: readonly string[]): Finding {
  return {
    level: 'warning',
    message: `links of SSTables may still be made and kept at ${addresses.join(', ')}`,
    remedy:
      'run `nodetool disablebackup` there, remove the files in every `backups` folder and the mark ' +
      `${markName} of the data directories, and clear the snapshots whose names begin with codr-cut-`,
  };
}

export function cutNodes(config: CassandraConfig, filesOf: FilesOf): CutNode[] {
  return Object.entries(config.nodes).map(([address, node]) => {
    const paths = pathsOf(config, node);
    return {
      address,
      control: openControl(address, node.control),
      files: filesOf(node.peer),
      dataDirectories: node.dataDirectories.map((path) => ourPath(paths, path)),
      ourPath: (path) => ourPath(paths, path),
      serverPath: (path) => serverPath(paths, path),
    };
  });
}

/** Reads parts that a cut has described: of the source it wants nothing but its files. */
export function openPartReader(_: SourceConfig, context: ConnectorContext): CutPartReader {
  const options = { filesOf: filesOf(context), sorting: sortingSpace(context) };
  return new CassandraPartReader(options, context);
}

function sortingSpace({ spill, memoryBytesMax }: ConnectorContext): SortingSpace {
  return { spill, memoryBytesMax: Math.floor(memoryBytesMax / sortingShare) };
}

/** Files of this machine, and of peers. Errors: `source-unfit` for a peer where there are none. */
export function filesOf({ peerFiles }: Pick<ConnectorContext, 'peerFiles'>): FilesOf {
  return (peer) => {
    if (peer === undefined) return localFiles;
    if (peerFiles) return peerFiles(peer) ?? { ...localFiles, peer };
    const message = `files are seen by peer ${peer} alone, and this program is no peer of a cluster`;
    throw new CodrError('source-unfit', message, {
      object: peer,
      remedy: 'run the command with --node, or leave `peer` out of the source and give `paths`',
    });
  };
}

function nodesMissing(): CodrError {
  return new CodrError('source-unfit', 'no node is configured, so no file can be read', {
    object: 'nodes',
    remedy:
      'register the source with --config FILE that names nodes with dataDirectories and control',
  });
}

function noLog(what: string): CodrError {
  return new CodrError(
    'source-unfit',
    `Cassandra has no ${what.replace(/^an? /, '')}: it is captured by cuts`,
  );
}
