// One cut of a cluster of replicas: links on, flush, list, on each server that answers; then what the files hold
// that no cut before has read, merged. What cannot be captured is a missing replica, which the grade says.
import { compareBytes, emptyBytes } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { CatalogChange, CatalogEntry } from '../../model/catalog.ts';
import { type DatasetId, type StreamId, streamId } from '../../model/id.ts';
import { type KeyRange, rangesBetween, wholeRange } from '../../model/key-range.ts';
import { type Scope, scopeHolds } from '../../model/namespace.ts';
import type { RecordStream } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';
import {
  type CutBefore,
  type CutMemory,
  type CutReader,
  type CutReport,
  cutGrades,
} from '../connector.ts';
import type { CutDataset } from '../cut-dataset.ts';
import type { ReplicaCluster } from './replica-cluster.ts';
import { type HeldFile, ownedWrites, type ReplicaNode } from './replica-node.ts';
import {
  bytesOf,
  mergedFiles,
  nearOf,
  ownsToken,
  type ReadFile,
  type ReplicaPart,
  replicaPart,
} from './replica-part.ts';
import { leadInOf } from './replica-record.ts';
import {
  firstState,
  gradeOf,
  type Horizon,
  type HostState,
  type ReplicaRange,
  type ReplicaState,
  rangesOf,
} from './replica-state.ts';
import { recordsOf, type Write } from './replica-write.ts';

export const replicaStream: StreamId = streamId('cuts');

interface Shot {
  readonly node: ReplicaNode;
  /** Links were on since the cut before. */
  readonly isProven: boolean;
  readonly runId: number;
  /** By dataset: live files and links. */
  readonly files: Map<DatasetId, readonly HeldFile[]>;
  readonly live: Map<DatasetId, readonly HeldFile[]>;
  readonly truncations: Map<DatasetId, number>;
}

const attemptsMax = 5;

/** Errors: `busy` when the cluster would not rest, `source-unreachable` when no server could be captured. */
export async function takeReplicaCut(
  cluster: ReplicaCluster,
  before: CutBefore | undefined,
  scope: Scope,
  signal: AbortSignal,
): Promise<ReplicaCut> {
  const text = before?.memory?.get('all');
  const state = text ? (JSON.parse(text) as ReplicaState) : firstState;
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    signal.throwIfAborted();
    const entries = [...cluster.tables.values()].map(({ entry }) => entry);
    const wanted = entries.filter(({ namespace }) => scopeHolds(scope, namespace));
    const [ring, schema] = [cluster.ringDigest(), cluster.schemaVersion];
    const [begin, beganSeconds] = [cluster.seq, cluster.nowSeconds];
    const missing = new Map<string, string>();
    const proven = new Map<string, boolean>();
    for (const node of cluster.nodes) {
      if (!node.isUp) continue;
      proven.set(node.hostId, node.linksOn && state.hosts[node.hostId]?.runId === node.runId);
      node.linksOn = true;
    }
    cluster.between('links are on');
    const truncated = truncationsOf(cluster, wanted);
    const shots: Shot[] = [];
    for (const node of [...cluster.nodes]) {
      await Promise.resolve();
      const shot = shoot(node, wanted, proven.get(node.hostId));
      if (typeof shot === 'string') missing.set(node.hostId, shot);
      else shots.push(shot);
      cluster.between(`${node.hostId} was asked`);
    }
    const isQuiet = ring === cluster.ringDigest() && schema === cluster.schemaVersion;
    if (!isQuiet || truncated !== truncationsOf(cluster, wanted)) continue;
    if (shots.length === 0) throw new CodrError('source-unreachable', 'no server answers');
    const taken = { cluster, before, state, entries: wanted, shots, missing, begin, beganSeconds };
    const cut = new ReplicaCut(taken);
    cluster.cuts.push(cut);
    return cut;
  }
  throw new CodrError('busy', `no cut in ${attemptsMax} tries: the cluster changes`);
}

/** What one server has, or why it is missing. */
function shoot(
  node: ReplicaNode,
  entries: readonly CatalogEntry[],
  isProven: boolean | undefined,
): Shot | string {
  if (!node.isUp || isProven === undefined) return 'it does not answer';
  if (node.isWedged) return 'its flush does not end';
  const files = new Map<DatasetId, readonly HeldFile[]>();
  const live = new Map<DatasetId, readonly HeldFile[]>();
  const truncations = new Map<DatasetId, number>();
  for (const { dataset } of entries) {
    node.flush(dataset);
    const { live: own, links, truncation } = node.table(dataset);
    files.set(dataset, [...new Set([...own, ...links])]);
    live.set(dataset, [...own]);
    truncations.set(dataset, truncation);
  }
  return { node, isProven: isProven && node.linksOn, runId: node.runId, files, live, truncations };
}

function truncationsOf({ nodes }: ReplicaCluster, entries: readonly CatalogEntry[]): string {
  return nodes
    .flatMap((node) => entries.map(({ dataset }) => node.table(dataset).truncation))
    .join();
}

interface Taken {
  readonly cluster: ReplicaCluster;
  readonly before: CutBefore | undefined;
  readonly state: ReplicaState;
  readonly entries: readonly CatalogEntry[];
  readonly shots: readonly Shot[];
  /** Why, by host. */
  readonly missing: ReadonlyMap<string, string>;
  readonly begin: number;
  readonly beganSeconds: number;
}

export class ReplicaCut implements CutReader {
  readonly time: SourceTime;
  readonly number: number;
  readonly catalog: readonly CatalogChange[];
  readonly datasets: readonly CutDataset[];
  /** Writes up to here were there when it began, and up to there when it ended. */
  readonly begin: number;
  readonly end: number;
  /** All tables that there were. */
  readonly entries: readonly CatalogEntry[];
  /** By dataset, whatever was captured of it: all that servers held when it ended. */
  readonly held: ReadonlyMap<DatasetId, ReadonlySet<Write>>;
  /** Why, by host that was not captured. */
  readonly missing: ReadonlyMap<string, string>;
  readonly #taken: Taken;
  readonly #files: readonly ReadFile[];
  readonly #damaged = new Set<ReadFile>();
  /** The cluster may change later. */
  readonly #ranges: readonly ReplicaRange[];

  constructor(taken: Taken) {
    const { cluster, before, entries, begin, missing } = taken;
    this.#taken = taken;
    this.number = (before?.number ?? 0) + 1;
    this.begin = begin;
    this.end = cluster.seq;
    this.missing = missing;
    this.entries = entries;
    const held = entries.map(({ dataset, namespace }) => {
      return [dataset, cluster.everything(namespace)] as const;
    });
    this.held = new Map(held);
    this.time = (BigInt(cluster.nextCutMs()) << 20n) | BigInt(this.number);
    this.catalog = changesOf(entries, before?.entries ?? [], this.time);
    this.#ranges = rangesOf(cluster);
    const begins = new Map(entries.map((entry) => [entry.dataset, this.#begins(entry)]));
    this.#files = entries.flatMap(({ dataset }) =>
      this.#toRead(dataset, begins.get(dataset) ?? false),
    );
    this.datasets = entries.flatMap((entry) => {
      const files = this.#files.filter(({ dataset }) => dataset === entry.dataset);
      const isNew = begins.get(entry.dataset) ?? false;
      if (!isNew && files.length === 0) return [];
      const bytes = files.reduce((sum, { writes }) => sum + bytesOf(writes), 0);
      const records = (_: AbortSignal, range = wholeRange): RecordStream =>
        this.#records(files, range);
      const ranges = async (partBytes: number): Promise<KeyRange[]> =>
        partsOf(this.#whole(files), partBytes);
      const content = (): string => this.#contentOf(files);
      const described = (range: KeyRange): ReplicaPart => this.#described(files, range);
      const near = () => nearOf(this.#whole(files), cluster.seenBy);
      return { entry, begins: isNew, bytes, records, ranges, content, described, near };
    });
  }

  /** What the engine was given of a dataset; undefined: nothing, since nothing is new. */
  given(dataset: DatasetId): { begins: boolean; writes: Set<Write> } | undefined {
    const own = this.datasets.find(({ entry }) => entry.dataset === dataset);
    if (!own) return undefined;
    const files = this.#files.filter((one) => one.dataset === dataset && !this.#damaged.has(one));
    return { begins: own.begins, writes: new Set(files.flatMap(({ writes }) => [...writes])) };
  }

  report(): CutReport {
    const isThere = this.#isThere();
    const grades = this.#ranges.map(({ replicas }) => gradeOf(replicas, isThere));
    const worst = Math.max(...grades.map((grade) => cutGrades.indexOf(grade)));
    const poor = grades.filter((grade) => grade !== 'complete').length;
    const notes = [
      ...[...this.#damaged].map(({ file, hostId }) => `${hostId}: the file ${file.id} is damaged`),
      ...[...this.missing].map(([host, reason]) => `node ${host} was not captured: ${reason}`),
      ...(poor > 0 ? [`${poor} of ${grades.length} ranges are not complete`] : []),
    ];
    return { grade: cutGrades[worst] ?? 'best-effort', notes };
  }

  memory(): CutMemory {
    return new Map([['all', JSON.stringify(this.#next())]]);
  }

  #next(): ReplicaState {
    const { shots, state, cluster, entries } = this.#taken;
    const damaged = new Set([...this.#damaged].map(({ file }) => file.id));
    const atSeconds = cluster.nowSeconds;
    const seen = shots.map(({ node, runId, files }): [string, HostState] => {
      const known = [...files].map(([dataset, own]) => [
        dataset,
        own.map(({ id }) => id).filter((id) => !damaged.has(id)),
      ]);
      return [node.hostId, { runId, atSeconds, files: Object.fromEntries(known) }];
    });
    // What a dataset that begins anew had of a server that is away does not count any more.
    const begun = new Set<string>(this.datasets.flatMap((d) => (d.begins ? d.entry.dataset : [])));
    const away = Object.entries(state.hosts).map(([hostId, host]): [string, HostState] => {
      const files = Object.entries(host.files).filter(([dataset]) => !begun.has(dataset));
      return [hostId, { ...host, files: Object.fromEntries(files) }];
    });
    const truncations = entries.map(({ dataset }) => [dataset, this.#truncation(dataset)]);
    return {
      atSeconds,
      truncations: Object.fromEntries(truncations),
      hosts: { ...Object.fromEntries(away), ...Object.fromEntries(seen) },
      horizon: this.#horizon(),
    };
  }

  /** Links of what is stored for good go. */
  async committed(): Promise<void> {
    const state = this.#next();
    for (const { node } of this.#taken.shots) {
      if (!node.isUp) continue;
      for (const { dataset } of this.#taken.entries) {
        const known = new Set(state.hosts[node.hostId]?.files[dataset]);
        const table = node.table(dataset);
        table.links = table.links.filter(({ id }) => !known.has(id));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /**
   * Also when a deletion may have come and gone unseen on some server: links were off there for longer than
   * deletions are kept, and what it took away is still in the cuts before.
   */
  #begins({ dataset }: CatalogEntry): boolean {
    const { before, state, shots, cluster } = this.#taken;
    if (!before?.entries.some((one) => one.dataset === dataset)) return true;
    if (this.#truncation(dataset) > (state.truncations[dataset] ?? 0)) return true;
    const oldest = cluster.nowSeconds - cluster.gcGraceSeconds;
    return shots.some(({ node, isProven }) => {
      const since = state.hosts[node.hostId]?.atSeconds ?? state.atSeconds;
      return !isProven && since < oldest;
    });
  }

  #isThere(): (hostId: string) => boolean {
    const hurt = new Set([...this.#damaged].map(({ hostId }) => hostId));
    return (hostId) => !this.missing.has(hostId) && !hurt.has(hostId);
  }

  #horizon(): Horizon {
    const { shots, entries, beganSeconds, cluster } = this.#taken;
    const isThere = this.#isThere();
    const whole = this.#ranges.filter(({ replicas }) => replicas.every(isThere));
    const floors = entries.flatMap(({ dataset }) => {
      const files = shots.flatMap(({ live }) => live.get(dataset) ?? []);
      const times = files.flatMap(({ writes }) => [...writes].flatMap(hiddenSince));
      return times.length > 0 ? [[dataset, Math.min(...times)] as const] : [];
    });
    return {
      graceSeconds: beganSeconds - cluster.gcGraceSeconds,
      ranges: whole.map(({ from, to }) => [from, to] as const),
      floors: Object.fromEntries(floors),
    };
  }

  #truncation(dataset: DatasetId): number {
    const { shots, state } = this.#taken;
    const seen = shots.map(({ truncations }) => truncations.get(dataset) ?? 0);
    return Math.max(state.truncations[dataset] ?? 0, ...seen);
  }

  #toRead(dataset: DatasetId, begins: boolean): ReadFile[] {
    const { shots, state } = this.#taken;
    const truncation = this.#truncation(dataset);
    return shots.flatMap(({ node, files }) => {
      const { hostId } = node;
      const known = new Set(begins ? [] : state.hosts[hostId]?.files[dataset]);
      const fresh = (files.get(dataset) ?? []).filter(
        (file) => !known.has(file.id) && file.truncation >= truncation,
      );
      const owns = ownsToken(this.#ownedBy(hostId));
      return fresh.map((file): ReadFile => {
        const writes = ownedWrites(file.writes, owns);
        return { hostId, dataset, file, writes };
      });
    });
  }

  #whole(files: readonly ReadFile[]): ReadFile[] {
    return files.filter((file) => !this.#damaged.has(file));
  }

  /** What a server owns of a file counts too. */
  #contentOf(files: readonly ReadFile[]): string {
    const owned = this.#ranges.map(({ from, to, replicas }) => [from, to, replicas]);
    const names = this.#whole(files).map(({ hostId, file }) => `${hostId} ${file.id}`);
    return JSON.stringify([owned, names.sort()]);
  }

  #ownedBy(hostId: string): [from: number, to: number][] {
    const owned = this.#ranges.filter(({ replicas }) => replicas.includes(hostId));
    return owned.map(({ from, to }) => [from, to]);
  }

  #described(files: readonly ReadFile[], range: KeyRange): ReplicaPart {
    const names = this.#whole(files).map(({ hostId, dataset, file }) => {
      return { hostId, dataset, id: file.id, owned: this.#ownedBy(hostId) };
    });
    return replicaPart(names, range);
  }

  async *#records(files: readonly ReadFile[], range: KeyRange): RecordStream {
    const damaged = (file: ReadFile): void => void this.#damaged.add(file);
    for await (const batch of mergedFiles(this.#whole(files), range, damaged)) {
      yield batch;
      this.#taken.cluster.between('records are read');
    }
  }
}

/** Ranges between partitions with about so many bytes of all files each. */
function partsOf(files: readonly ReadFile[], partBytes: number): KeyRange[] {
  const records = files.flatMap(({ writes }) => recordsOf(writes));
  records.sort((a, b) => compareBytes(a.key, b.key));
  const bounds: Uint8Array[] = [];
  let bytes = 0;
  for (const { key, value } of records) {
    const start = leadInOf(key);
    const isNew = compareBytes(start, bounds.at(-1) ?? emptyBytes) > 0;
    if (bytes >= partBytes && isNew) {
      bounds.push(start);
      bytes = 0;
    }
    bytes += key.length + value.length;
  }
  return rangesBetween(bounds);
}

/** When a write began to hide older ones without being seen itself. */
function hiddenSince({ change, seconds }: Write): number[] {
  if (change.kind !== 'put') return [seconds];
  return change.expiry === undefined ? [] : [change.expiry];
}

function changesOf(
  entries: readonly CatalogEntry[],
  before: readonly CatalogEntry[],
  time: SourceTime,
): CatalogChange[] {
  const old = new Map(before.map((entry) => [entry.dataset, entry]));
  const changed = entries
    .filter(({ dataset, body }) => {
      const known = old.get(dataset);
      return !known || Buffer.compare(known.body, body) !== 0;
    })
    .map(({ dataset, body }) => ({ kind: 'table', dataset, body }));
  const there = new Set(entries.map(({ dataset }) => dataset));
  const gone = before
    .filter(({ dataset }) => !there.has(dataset))
    .map(({ dataset, body }) => ({ kind: 'drop', dataset, body }));
  const place = { time, stream: replicaStream, position: { time, term: 0n } };
  return [...changed, ...gone].map((change, index) => ({ ...change, ...place, index }));
}
