// A cluster of several servers in memory, which tests drive: each write goes to the replicas of its partition that
// are up and do not miss it; the others get it late, by a hint or a repair, or never. No timers, no chance of its
// own. It keeps what each cut was given, so that tests can say what a point should hold.
import { assert } from '../../base/assert.ts';
import { CodrError } from '../../base/error.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import { type DatasetId, datasetId } from '../../model/id.ts';
import type { FinishedItem } from '../restore-target.ts';
import type { ReplicaCut } from './replica-cut.ts';
import { ownedWrites, ReplicaNode, replicasAt } from './replica-node.ts';
import { tokenCount, tokenOf } from './replica-record.ts';
import { type Change, rowsOf, type Write } from './replica-write.ts';

export interface ReplicaClusterOptions {
  readonly name: string;
  readonly nodes: number;
  readonly replicationFactor: number;
  readonly nowMs: () => number;
  /** Deletions may be purged when they are older. */
  readonly gcGraceSeconds?: number;
}

interface Table {
  readonly entry: CatalogEntry;
  /** It lost something that a cut may hold: purged, or with the only server that had it. */
  isShort: boolean;
}

interface Hint {
  readonly hostId: string;
  readonly dataset: DatasetId;
  readonly truncation: number;
  readonly write: Write;
}

export interface WriteOptions {
  /** µs; absent: later than all before. */
  readonly timestamp?: number;
  /** Replicas that miss it though they are up. */
  readonly missedBy?: readonly string[];
  /** Whether who missed it has a hint waiting. */
  readonly hints?: boolean;
}

/** How a restore that has not finished is known. */
export interface ReplicaMarker {
  readonly operation: string;
  readonly moment: string;
  readonly begun: Set<string>;
  readonly finished: Map<string, FinishedItem>;
}

export class ReplicaCluster {
  readonly name: string;
  readonly replicationFactor: number;
  readonly gcGraceSeconds: number;
  identity: string;
  nodes: ReplicaNode[] = [];
  isReachable = true;
  /** The peer beside each server, by host id, which alone has its files at hand. */
  readonly seenBy = new Map<string, string>();
  schemaVersion = 1;
  marker: ReplicaMarker | undefined;
  /** Called between the steps of a cut and between batches of records, also of a load: the cluster may change there. */
  between: (what: string) => void = () => {};
  /** All cuts that sessions took, committed or not. */
  readonly cuts: ReplicaCut[] = [];
  readonly tables = new Map<string, Table>();
  /** How many replicas took each write at once. */
  readonly acknowledged = new Map<Write, number>();
  readonly nowMs: () => number;
  #hints: Hint[] = [];
  #seq = 0;
  #created = 0;
  #joined = 0;
  #cutMs = 0;

  constructor(options: ReplicaClusterOptions) {
    this.name = options.name;
    this.identity = options.name;
    this.replicationFactor = options.replicationFactor;
    this.gcGraceSeconds = options.gcGraceSeconds ?? 864_000;
    this.nowMs = options.nowMs;
    const share = tokenCount / options.nodes;
    for (let i = 1; i <= options.nodes; i++) this.#join(Math.floor(i * share) - 1);
  }

  get seq(): number {
    return this.#seq;
  }

  get nowSeconds(): number {
    return Math.floor(this.nowMs() / 1000);
  }

  /** Ms since 1970 at the end of a cut: no two cuts end together. */
  nextCutMs(): number {
    this.#cutMs = Math.max(this.nowMs(), this.#cutMs + 1);
    return this.#cutMs;
  }

  // ---- schema ----

  create(namespace: string): DatasetId {
    assert(!this.tables.has(namespace), 'a name is taken once');
    const dataset = datasetId(`${++this.#created}`.padStart(32, '0'));
    this.tables.set(namespace, { entry: entryOf(dataset, namespace, 1), isShort: false });
    this.schemaVersion++;
    return dataset;
  }

  /** Changes its definition, and no row. */
  alter(namespace: string): void {
    const table = this.table(namespace);
    const version = this.schemaVersion++;
    const entry = entryOf(table.entry.dataset, namespace, version);
    this.tables.set(namespace, { ...table, entry });
  }

  drop(namespace: string): void {
    const { dataset } = this.table(namespace).entry;
    for (const node of this.nodes) node.forget(dataset);
    this.#hints = this.#hints.filter((hint) => hint.dataset !== dataset);
    this.tables.delete(namespace);
    this.schemaVersion++;
  }

  /** Errors: `source-unreachable` unless every server is up, as servers have it too. */
  truncate(namespace: string): void {
    const { dataset } = this.table(namespace).entry;
    if (this.nodes.some(({ isUp }) => !isUp)) throw unreachable('a server is down');
    for (const node of this.nodes) node.truncate(dataset);
    this.tables.set(namespace, { ...this.table(namespace), isShort: false });
  }

  table(namespace: string): Table {
    const table = this.tables.get(namespace);
    if (!table) throw new CodrError('source-unfit', `there is no table ${namespace}`);
    return table;
  }

  // ---- data ----

  write(namespace: string, partition: string, change: Change, options: WriteOptions = {}): Write {
    const { dataset } = this.table(namespace).entry;
    const seq = ++this.#seq;
    const timestamp = options.timestamp ?? seq;
    const write: Write = { seq, partition, timestamp, seconds: this.nowSeconds, change };
    let taken = 0;
    for (const node of this.replicasOf(tokenOf(partition))) {
      const { hostId, isUp } = node;
      const table = node.table(dataset);
      if (isUp && !options.missedBy?.includes(hostId)) {
        table.memtable.add(write);
        taken++;
      } else if (options.hints) {
        this.#hints.push({ hostId, dataset, truncation: table.truncation, write });
      }
    }
    this.acknowledged.set(write, taken);
    return write;
  }

  /** What waits for servers that are up; what was written before its table was emptied, or expired, is let go. */
  deliverHints(): void {
    const kept: Hint[] = [];
    for (const hint of this.#hints) {
      const node = this.nodes.find(({ hostId }) => hostId === hint.hostId);
      if (node && !node.isUp) kept.push(hint);
      const table = node?.table(hint.dataset);
      const isOld = hint.write.seconds + this.gcGraceSeconds < this.nowSeconds;
      if (!node?.isUp || !table || isOld || table.truncation !== hint.truncation) continue;
      if (this.#owns(node, tokenOf(hint.write.partition))) table.memtable.add(hint.write);
    }
    this.#hints = kept;
  }

  /** Servers that are up send one another what they lack, as files. */
  repair(namespace: string): void {
    const { dataset } = this.table(namespace).entry;
    const up = this.nodes.filter(({ isUp }) => isUp);
    const all = up.map((node) => node.holds(dataset));
    for (const [i, node] of up.entries()) {
      const owned = ownedWrites(
        all.flatMap((each) => [...each]),
        this.ownedBy(node),
      );
      const lacking = owned.difference(all[i] as Set<Write>);
      if (lacking.size > 0) node.addFile(dataset, lacking);
    }
  }

  compact(namespace: string, node: ReplicaNode, purges: boolean): void {
    const table = this.table(namespace);
    const before = purges ? this.nowSeconds - this.gcGraceSeconds : Number.NEGATIVE_INFINITY;
    if (node.compact(table.entry.dataset, before)) table.isShort = true;
  }

  /** Of one server, by a disk that fails. Links go with it or stay. */
  loseFile(namespace: string, node: ReplicaNode, isLinkLost: boolean): void {
    const table = this.table(namespace);
    const files = node.table(table.entry.dataset);
    const lost = files.live.shift();
    if (!lost) return;
    if (isLinkLost) files.links = files.links.filter(({ id }) => id !== lost.id);
    table.isShort = true;
  }

  // ---- servers ----

  /** Another takes its place, and is sent what the others have. */
  replace(node: ReplicaNode): ReplicaNode {
    this.nodes = this.nodes.filter((other) => other !== node);
    const fresh = this.#join(node.token);
    for (const table of this.tables.values()) table.isShort = true;
    this.#bootstrap(fresh, node);
    return fresh;
  }

  /** One more server. Those that owned its part before keep their files of it. */
  grow(token: number): ReplicaNode | undefined {
    if (this.nodes.some((node) => node.token === token)) return undefined;
    // What only a server has that is down now is nobody's any more where it does not own it.
    const isWhole = this.nodes.every(({ isUp }) => isUp);
    const fresh = this.#join(token);
    for (const table of this.tables.values()) table.isShort ||= !isWhole;
    this.#bootstrap(fresh, undefined);
    return fresh;
  }

  node(hostId: string): ReplicaNode {
    const node = this.nodes.find((one) => one.hostId === hostId);
    if (!node) throw unreachable(`there is no server ${hostId}`);
    return node;
  }

  replicasOf(token: number): ReplicaNode[] {
    return replicasAt(this.nodes, token, this.replicationFactor);
  }

  ownedBy(node: ReplicaNode): (token: number) => boolean {
    return (token) => this.#owns(node, token);
  }

  ringDigest(): string {
    return this.nodes.map(({ hostId, token }) => `${hostId}@${token}`).join();
  }

  // ---- what readers see ----

  /** All that any server holds of the partitions that it owns. */
  everything(namespace: string): Set<Write> {
    const { dataset } = this.table(namespace).entry;
    const held = this.nodes.map((n) => ownedWrites(n.holds(dataset), this.ownedBy(n)));
    return new Set(held.flatMap((one) => [...one]));
  }

  /** What a read that asks all replicas sees now: texts by `partition/row`. */
  seen(namespace: string): Record<string, string> {
    const rows = rowsOf(this.everything(namespace), this.nowSeconds);
    return Object.fromEntries([...rows].map(([name, row]) => [name, row.alive ? row.text : '']));
  }

  nextSeq(): number {
    return ++this.#seq;
  }

  #join(token: number): ReplicaNode {
    const node = new ReplicaNode(`h${++this.#joined}`, token);
    this.nodes.push(node);
    return node;
  }

  #bootstrap(fresh: ReplicaNode, left: ReplicaNode | undefined): void {
    for (const { entry } of this.tables.values()) {
      const others = this.nodes.filter((node) => node !== fresh && node.isUp);
      const all = others.flatMap((node) => [...node.holds(entry.dataset)]);
      const known = [...others, ...(left ? [left] : [])][0];
      fresh.table(entry.dataset).truncation = known?.table(entry.dataset).truncation ?? 0;
      const owned = ownedWrites(all, this.ownedBy(fresh));
      if (owned.size > 0) fresh.addFile(entry.dataset, owned);
    }
  }

  #owns(node: ReplicaNode, token: number): boolean {
    return this.replicasOf(token).includes(node);
  }
}

/** Finds clusters by the names in their URIs, `replicas:NAME`. */
export class ReplicaClusters {
  readonly #byName = new Map<string, ReplicaCluster>();

  add(cluster: ReplicaCluster): ReplicaCluster {
    this.#byName.set(cluster.name, cluster);
    return cluster;
  }

  get(name: string): ReplicaCluster | undefined {
    return this.#byName.get(name);
  }
}

/** Body: the version of its definition, a space, its name. */
export function entryOf(dataset: DatasetId, namespace: string, version: number): CatalogEntry {
  const body = Buffer.from(`${version} ${namespace}`);
  return { dataset, namespace, role: 'data', kind: 'table', body };
}

function unreachable(message: string): CodrError {
  return new CodrError('source-unreachable', message);
}
