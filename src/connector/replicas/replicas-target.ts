// Restoring into a cluster of replicas: each record goes to every server that owns it, and each server is read back
// alone. A table is made under its own name; the marker knows which ones a run has begun.
import { equalBytes, toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { type KeyRange, rangeHolds } from '../../model/key-range.ts';
import { scopeHolds } from '../../model/namespace.ts';
import {
  batchBytes,
  type DataRecord,
  type RecordBatch,
  type RecordStream,
} from '../../model/record.ts';
import type { SourceIdentity } from '../connector.ts';
import type {
  DefineResult,
  FinishedItem,
  FinishResult,
  FrozenMoment,
  LeftBehind,
  LoadedRange,
  PlannedDefinitions,
  RestoreTarget,
  SpotReads,
  TargetItem,
  TargetOptions,
  TargetPlan,
  UnfinishedRestore,
} from '../restore-target.ts';
import type { ReplicaCluster, ReplicaMarker } from './replica-cluster.ts';
import { replicaStream } from './replica-cut.ts';
import type { ReplicaNode } from './replica-node.ts';
import { contentOf, tokenOfKey } from './replica-record.ts';
import { isSeen, recordsOf, type Write, writeOf } from './replica-write.ts';

const nothing = { skipped: [], warnings: [] } as const;

export class ReplicasTarget implements RestoreTarget {
  readonly identity: SourceIdentity;
  readonly #cluster: ReplicaCluster;
  #options: TargetOptions | undefined;
  #dropped: readonly string[] = [];
  /** By name and server: what it holds of a table, as it was when that was fixed. */
  #frozen = new Map<string, ReadonlyMap<ReplicaNode, readonly DataRecord[]>>();
  /** By name: what it must hold, as of then. */
  readonly #watched = new Map<string, readonly DataRecord[]>();

  constructor(cluster: ReplicaCluster) {
    this.#cluster = cluster;
    this.identity = { id: cluster.identity, version: '1', streams: [replicaStream] };
  }

  async unfinished(operation: string): Promise<UnfinishedRestore | undefined> {
    const { marker } = this.#cluster;
    if (marker?.operation !== operation) return undefined;
    return { moment: marker.moment, marker: this.#markerName };
  }

  async plan(items: readonly TargetItem[], options: TargetOptions): Promise<TargetPlan> {
    const { marker, nodes, tables } = this.#cluster;
    const down = nodes.find(({ isUp }) => !isUp);
    if (down) throw unfit(`${down.hostId} is down`, 'start it');
    if (marker && marker.operation !== options.operation) {
      throw unfit(`restore ${marker.operation} has not finished`, 'run that restore again');
    }
    const wanted = new Set(items.map(({ namespace }) => namespace));
    const foreign = [...tables.keys()].filter((name) => !marker?.begun.has(name));
    const inTheWay = foreign.filter((name) => wanted.has(name));
    const inScope = foreign.filter((name) => wanted.has(name) || scopeHolds(options.scope, name));
    this.#options = options;
    this.#dropped = options.drop ? inScope : [];
    return {
      ...nothing,
      conflicts: options.drop ? [] : inTheWay,
      dropped: this.#dropped,
      finished: [...(marker?.finished.values() ?? [])],
    };
  }

  async begin(): Promise<void> {
    const { operation, moment } = this.#planned();
    this.#cluster.marker ??= { operation, moment, begun: new Set(), finished: new Map() };
    if (this.#cluster.marker.operation === operation) return;
    throw new CodrError('busy', 'another restore has begun meanwhile');
  }

  async create({ namespace }: TargetItem): Promise<void> {
    const { begun, finished } = this.#marker();
    finished.delete(namespace);
    begun.add(namespace);
    if (this.#cluster.tables.has(namespace)) this.#cluster.drop(namespace);
    this.#cluster.create(namespace);
  }

  async load(item: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    let [count, bytes] = [0, 0];
    const { dataset } = this.#cluster.table(item.namespace).entry;
    for await (const batch of records) {
      signal.throwIfAborted();
      for (const node of this.#cluster.nodes) {
        const owned = batch.filter(({ key }) => this.#owners(key).includes(node));
        if (owned.length > 0 && !node.takesNothing) node.addFile(dataset, this.#writes(owned));
      }
      count += batch.length;
      bytes += batchBytes(batch);
      this.#cluster.between('records are loaded');
    }
    return { records: count, bytes, changedByTarget: [] };
  }

  serial(): boolean {
    return false;
  }

  async index(): Promise<void> {}

  async freeze({ namespace }: TargetItem): Promise<FrozenMoment> {
    const { dataset } = this.#cluster.table(namespace).entry;
    const { nodes, nowSeconds } = this.#cluster;
    const held = nodes.map((node) => {
      const live = recordsOf(node.holds(dataset)).filter((record) => {
        const content = contentOf(record);
        return content.kind === 'row' && isSeen(content.row, nowSeconds);
      });
      return [node, live] as const;
    });
    this.#frozen.set(namespace, new Map(held));
    this.#watched.delete(namespace);
    return { nowMs: nowSeconds * 1000 };
  }

  /** Errors: `proof-failed` when the replicas of a record do not say the same. */
  async *readBack({ namespace }: TargetItem, range: KeyRange): RecordStream {
    const frozen = this.#frozen.get(namespace);
    if (!frozen) throw unfit(`${namespace} has not been loaded`, 'restore it again');
    const found = new Map<string, { record: DataRecord; nodes: Set<ReplicaNode> }>();
    for (const [node, records] of frozen) {
      for (const record of records.filter(({ key }) => rangeHolds(range, key))) {
        const name = Buffer.from(record.key).toString('hex');
        const known = found.get(name) ?? { record, nodes: new Set<ReplicaNode>() };
        if (Buffer.compare(known.record.value, record.value) !== 0) throw unequal(namespace, node);
        found.set(name, { record, nodes: known.nodes.add(node) });
      }
    }
    for (const { record, nodes } of found.values()) {
      const lacking = this.#owners(record.key).find((owner) => !nodes.has(owner));
      if (lacking) throw unequal(namespace, lacking);
    }
    const records = [...found.values()].map(({ record }) => record);
    const batch: RecordBatch = records.sort((a, b) => Buffer.compare(a.key, b.key));
    if (batch.length > 0) yield batch;
  }

  async *watch({ namespace }: TargetItem, expected: RecordStream): RecordStream {
    for await (const batch of expected) {
      this.#watched.set(namespace, [...(this.#watched.get(namespace) ?? []), ...batch]);
      yield batch;
    }
  }

  /** Each owner is asked for every record, as it is by now. Errors: `proof-failed`. */
  async spotReads({ namespace }: TargetItem): Promise<SpotReads> {
    const { dataset } = this.#cluster.table(namespace).entry;
    const { nodes, nowSeconds } = this.#cluster;
    const reads = { made: 0, own: 0, expired: 0, warnings: [] };
    for (const node of nodes) {
      const held = new Map(
        recordsOf(node.holds(dataset)).map((record) => [toHex(record.key), record]),
      );
      for (const wanted of this.#watched.get(namespace) ?? []) {
        if (!this.#owners(wanted.key).includes(node)) continue;
        const content = contentOf(wanted);
        const isGone = content.kind === 'row' && !isSeen(content.row, nowSeconds);
        const found = held.get(toHex(wanted.key));
        if (isGone) reads.expired++;
        else if (!found || !equalBytes(found.value, wanted.value)) throw unequal(namespace, node);
        else reads.made++;
      }
    }
    this.#watched.delete(namespace);
    return { ...reads, own: reads.made };
  }

  async done({ namespace }: TargetItem, finished: FinishedItem): Promise<void> {
    this.#marker().finished.set(namespace, finished);
  }

  async planDefinitions(): Promise<PlannedDefinitions> {
    return { ...nothing, defined: [] };
  }

  async define(): Promise<DefineResult> {
    return { skipped: [], defined: [] };
  }

  async finish(items: readonly TargetItem[]): Promise<FinishResult> {
    const kept = new Set(items.map(({ namespace }) => namespace));
    for (const name of this.#dropped) {
      if (!kept.has(name) && this.#cluster.tables.has(name)) this.#cluster.drop(name);
    }
    this.#cluster.marker = undefined;
    return { ...nothing, dropped: this.#dropped };
  }

  async leftBehind(): Promise<LeftBehind | undefined> {
    const names = [...(this.#cluster.marker?.begun ?? [])];
    if (names.length > 0) return { marker: this.#markerName, names };
    this.#cluster.marker = undefined;
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  get #markerName(): string {
    return `the marker of ${this.#cluster.name}`;
  }

  #marker(): ReplicaMarker {
    const { marker } = this.#cluster;
    if (!marker) throw new CodrError('lease-lost', 'the marker of this restore is gone');
    return marker;
  }

  #planned(): TargetOptions {
    if (!this.#options) throw new CodrError('usage', 'a restore is planned before it begins');
    return this.#options;
  }

  #owners(key: Uint8Array): readonly ReplicaNode[] {
    return this.#cluster.replicasOf(tokenOfKey(key));
  }

  #writes(records: RecordBatch): Set<Write> {
    const writes = records.map((record) => writeOf(record, this.#cluster.nextSeq()));
    return new Set(writes.filter((write) => write !== undefined));
  }
}

function unequal(namespace: string, { hostId }: ReplicaNode): CodrError {
  return new CodrError('proof-failed', `${namespace}: ${hostId} differs from its fellows`, {
    object: namespace,
    facts: { node: hostId },
  });
}

function unfit(message: string, remedy: string): CodrError {
  return new CodrError('target-unfit', message, { remedy });
}
