// A cluster of nodes that are folders: controls and rows of system tables for tests of cuts, so that a node can be
// away, mistaken or full on demand. Its files hold nothing: cuts list files, their readers are tested elsewhere.
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { CodrError } from '../../../base/error.ts';
import type { FileAccess } from '../../../base/file-access.ts';
import { silentLogger } from '../../../base/log.ts';
import { MemorySpill } from '../../../base/spill.ts';
import { systemClock } from '../../../node/system-clock.ts';
import type { CutReport, Finding } from '../../connector.ts';
import { parseCassandraConfig } from './cassandra-config.ts';
import { checkCassandra } from './check-cassandra.ts';
import { type NodeControl, withinDeadline } from './control.ts';
import type { CqlRow, CqlSession, QueryOptions } from './cql.ts';
import { CassandraCut } from './cut-reader.ts';
import { type CutState, firstState, parseCutState } from './cut-state.ts';
import { type FakeStatistics, statisticsOf } from './fake-statistics.fixture.ts';
import { localFiles } from './local-files.ts';
import type { CutNode } from './node-cut.ts';
import { splitName } from './node-files.ts';
import { type CutRequest, type TakenCut, takeCut } from './take-cut.ts';

const tableHex = '248b1a50ea0811f18ecf93c3a17fc635';
export const fakeTableId = '248b1a50-ea08-11f1-8ecf-93c3a17fc635';
const components = ['Data.db', 'Statistics.db', 'Digest.crc32', 'TOC.txt'];

interface FakeNode {
  readonly hostId: string;
  readonly address: string;
  /** Of the server. */
  readonly folder: string;
  /** Where its directories are for CODR; {@link folder} unless it is mistaken. */
  paths: string[];
  files: FileAccess;
  /** As the control names them. */
  served: string[];
  linksOn: boolean;
  isAway: boolean;
  /** Its flushes do not end. */
  isWedged: boolean;
  datacenter: string;
  /** What its fellows lack in their rows of it. */
  halfKnown: 'tokens' | 'host_id' | undefined;
  truncatedAt: Buffer | undefined;
  /** Another one's has not heard of the table. */
  schemaVersion: string;
  /** Live files that are not below {@link folder}. */
  elsewhere: string[];
  /** Who answers CQL at its address; itself unless given. */
  answers: number | undefined;
}

interface FakeFlush extends FakeStatistics {
  readonly linked?: boolean;
  readonly toc?: readonly string[];
}

export class FakeCluster implements AsyncDisposable {
  /** Members of the ring. */
  readonly nodes: FakeNode[] = [];
  /** Of the keyspace `ks`. */
  replication: Record<string, string> = { class: 'SimpleStrategy', replication_factor: '3' };
  readonly signal = AbortSignal.timeout(60_000);
  state: CutState = firstState;
  durableWrites = true;
  /** When the keyspace was told so. */
  toldAt = 1;
  /** The table's options, and when it was told them. */
  options = { gc_grace_seconds: 864_000, incremental_backups: true, told_at: 1 };
  /** When the table was. */
  madeAt = 1;
  #cuts = 0;
  readonly #network: string;

  private constructor(network: string) {
    this.#network = network;
  }

  /** With the table `ks.t` on all nodes. `network`: what addresses begin with. */
  static async open(count: number, network = '10.0.0.'): Promise<FakeCluster> {
    const cluster = new FakeCluster(network);
    for (let i = 0; i < count; i++) await cluster.join();
    return cluster;
  }

  /** Node n has the token n000. */
  async join(): Promise<void> {
    const number = this.nodes.length + 1;
    const folder = await mkdtemp(join(tmpdir(), 'codr-test-'));
    await mkdir(join(folder, 'ks', `t-${tableHex}`), { recursive: true });
    this.nodes.push({
      hostId: `0000000${number}-0000-0000-0000-000000000000`,
      address: `${this.#network}${number}`,
      folder,
      paths: [folder],
      files: localFiles,
      served: ['/data'],
      linksOn: false,
      isAway: false,
      isWedged: false,
      datacenter: 'dc1',
      halfKnown: undefined,
      truncatedAt: undefined,
      schemaVersion: 's',
      elsewhere: [],
      answers: undefined,
    });
  }

  /** The node that joined last is no member any more. */
  async leave(): Promise<void> {
    const left = this.nodes.pop();
    if (left) await rm(left.folder, { recursive: true, force: true });
  }

  node(number: number): FakeNode {
    const node = this.nodes[number - 1];
    if (!node) throw new Error(`there is no node ${number}`);
    return node;
  }

  /** The table's folder at a node. */
  table(number: number): string {
    return join(this.node(number).folder, 'ks', `t-${tableHex}`);
  }

  /** A flushed file at every node, linked where links are on. */
  async flush(name: string, given: FakeFlush = {}): Promise<void> {
    const { linked, toc = components, ...statistics } = given;
    for (const [i, { linksOn, hostId }] of this.nodes.entries()) {
      const live = this.table(i + 1);
      for (const folder of [live, ...((linked ?? linksOn) ? [join(live, 'backups')] : [])]) {
        await mkdir(folder, { recursive: true });
        for (const one of components) {
          const text = one === 'TOC.txt' ? toc.join('\n') : `${i} ${name}`;
          const content = one === 'Statistics.db' ? statisticsOf(hostId, statistics) : text;
          await writeFile(join(folder, `${name}-${one}`), content);
        }
      }
    }
  }

  /** Live files of these names become one, without a link, at every node. */
  async compact(names: readonly string[], name: string, made: FakeStatistics): Promise<void> {
    for (const [i] of this.nodes.entries()) {
      const live = this.table(i + 1);
      for (const file of await readdir(live)) {
        if (names.includes(splitName(file)?.name ?? '')) await rm(join(live, file));
      }
    }
    await this.flush(name, { ...made, linked: false });
  }

  /** TRUNCATE: live files go, links stay, and every node keeps a record of its commit log's end. */
  async truncate(): Promise<void> {
    const record = Buffer.alloc(20);
    record.writeBigInt64BE(99n);
    record.writeBigInt64BE(BigInt(Date.now() + 5_000), 12);
    for (const [i, node] of this.nodes.entries()) {
      const live = this.table(i + 1);
      for (const file of await readdir(live)) if (splitName(file)) await rm(join(live, file));
      node.truncatedAt = record;
    }
  }

  /** As configured. */
  cutNodes(): CutNode[] {
    return this.nodes.map((node) => ({
      address: node.address,
      control: controlOf(node, this.nodes),
      files: node.files,
      dataDirectories: node.paths,
      ourPath: (path: string) => (path === '/data' ? (node.paths[0] ?? path) : path),
    }));
  }

  take(more: Partial<CutRequest> = {}): Promise<TakenCut> {
    this.#cuts += 1;
    return takeCut({
      cql: this.#cql(),
      nodes: this.cutNodes(),
      datacenters: [],
      ownsBackups: false,
      linkLimit: { share: 1 },
      pendingCompactionsMax: 1_000,
      scope: () => true,
      state: this.state,
      owner: 'one',
      id: String(this.#cuts),
      clock: systemClock,
      log: silentLogger,
      signal: this.signal,
      ...more,
    });
  }

  /** Taken and committed. */
  async cut(more: Partial<CutRequest> = {}): Promise<TakenCut> {
    const cut = await this.take(more);
    await cut.release(true);
    this.state = parseCutState(JSON.parse(JSON.stringify(cut.nextState)));
    return cut;
  }

  /** What `source check` finds, with a configuration of these fields. */
  check(config: Readonly<Record<string, unknown>>): Promise<Finding[]> {
    return checkCassandra({
      ...{ cql: this.#cql(), nodes: this.cutNodes(), config: parseCassandraConfig(config) },
      ...{ owner: 'one', scope: () => true, clock: systemClock, signal: this.signal },
    });
  }

  /** What the point says of a cut. */
  report(taken: TakenCut): CutReport {
    const sorting = { spill: new MemorySpill(), memoryBytesMax: 1 };
    const place = { filesOf: () => localFiles, sorting, log: silentLogger };
    const { state } = this;
    return new CassandraCut({
      taken,
      before: undefined,
      state,
      datacenters: [],
      ...place,
    }).report();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { folder } of this.nodes) await rm(folder, { recursive: true, force: true });
  }

  #cql(): CqlSession {
    const rows = async (query: string, { host }: QueryOptions): Promise<CqlRow[]> => {
      const named = this.nodes.find(({ address }) => address === host) ?? this.node(1);
      const asked = named.answers === undefined ? named : this.node(named.answers);
      if (query.includes('system.local')) return [{ ...rowOf(asked), ...localOf(asked) }];
      if (query.includes('system.peers_v2')) {
        const peers = this.nodes.filter((node) => node !== asked);
        return peers.map((node) => ({
          ...rowOf(node),
          peer: node.address,
          ...(node.halfKnown && { [node.halfKnown]: null }),
        }));
      }
      // Whoever names no host is answered by any of them.
      const told = host === undefined ? this.nodes.at(-1) : asked;
      return told?.schemaVersion === 's' ? this.#schemaRows(query) : [];
    };
    const hosts = () =>
      this.nodes.map(({ address }) => ({ address, isUp: true, datacenter: 'dc1' }));
    return { rows, hosts } as unknown as CqlSession;
  }

  #schemaRows(query: string): CqlRow[] {
    const table = { keyspace_name: 'ks', table_name: 't' };
    if (query.includes('system_schema.keyspaces')) {
      const { replication } = this;
      return [
        {
          keyspace_name: 'ks',
          replication,
          durable_writes: this.durableWrites,
          told_at: this.toldAt,
        },
      ];
    }
    if (query.includes('system_schema.tables')) {
      const options = { ...this.options, default_time_to_live: 0 };
      return [{ ...table, ...options, id: fakeTableId, flags: ['compound'] }];
    }
    if (!query.includes('system_schema.columns')) return [];
    const { madeAt: made_at } = this;
    const column = { ...table, clustering_order: 'none', position: 0, type: 'int', made_at };
    return [{ ...column, column_name: 'k', kind: 'partition_key' }];
  }
}

const tokensOf = ({ hostId }: Pick<FakeNode, 'hostId'>): string[] => [`${hostId[7]}000`];

function rowOf({ address, hostId, datacenter }: FakeNode): CqlRow {
  return {
    native_address: address,
    cluster_name: 'fake',
    partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
    release_version: '5.0.9',
    schema_version: 's',
    host_id: hostId,
    data_center: datacenter,
    rack: 'r1',
    tokens: tokensOf({ hostId }),
  };
}

function localOf({ address, truncatedAt, schemaVersion: schema_version }: FakeNode): CqlRow {
  const truncated_at = truncatedAt ? { [fakeTableId]: truncatedAt } : null;
  return {
    ...{ broadcast_address: address, rpc_address: address },
    ...{ gossip_generation: 1, truncated_at, schema_version },
  };
}

function controlOf(node: FakeNode, members: readonly FakeNode[]): NodeControl {
  const live = join(node.folder, 'ks', `t-${tableHex}`);
  const control: Partial<NodeControl> = {
    address: node.address,
    kind: 'jolokia',
    identity: async () => {
      if (node.isAway) throw new CodrError('source-unreachable', `${node.address} is away`);
      const known = { clusterName: 'fake', releaseVersion: '5.0.9', jvmStartMs: 1 };
      return { ...known, hostId: node.hostId, operationMode: 'NORMAL' };
    },
    flush: async (_, __, { signal, deadlineMs }) => {
      if (!node.isWedged) return;
      // As the driver of a server that never answers.
      await withinDeadline(
        node.address,
        'flush',
        { signal, deadlineMs: deadlineMs ?? 1 },
        (until) => setTimeout(60_000, undefined, { signal: until }),
      );
    },
    takeSnapshot: async (tag) => {
      const folder = join(live, 'snapshots', tag);
      await mkdir(folder, { recursive: true });
      const there = (await readdir(live)).filter((file) => splitName(file));
      for (const file of there) await cp(join(live, file), join(folder, file));
      const data = [...there, ...node.elsewhere].filter((file) => file.endsWith('-Data.db'));
      await writeFile(join(folder, 'manifest.json'), JSON.stringify({ files: data }));
    },
    clearSnapshot: (tag) => rm(join(live, 'snapshots', tag), { recursive: true, force: true }),
    incrementalBackups: async () => node.linksOn,
    setIncrementalBackups: async (on) => {
      node.linksOn = on;
    },
    pendingCompactions: async () => 0,
    streamedBytes: async () => 0,
    movingNodes: async () => [],
    // As Java writes IPv6.
    liveNodes: async () => members.map(({ address }) => address.replace('::', ':0:0:0:0:0:')),
    members: async () =>
      new Map(members.map((one) => [one.hostId, { address: one.address, tokens: tokensOf(one) }])),
    dataDirectories: async () => node.served,
  };
  return control as NodeControl;
}

/** Which nodes were captured, and why the others were not. */
export function hostsOf({ nodes }: TakenCut): Record<string, string> {
  return Object.fromEntries(nodes.map((node) => [node.address, node.reason ?? 'captured']));
}

/** Names of the files of a cut, by host. */
export function namesOf(cut: TakenCut): string[] {
  const files = [...cut.tables.values()].flatMap(({ sstables }) => sstables);
  return files.map(({ hostId, name }) => `${hostId[7]} ${name}`).sort();
}
