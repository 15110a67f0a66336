// The connector to clusters of replicas in memory: the smallest complete one to a kind without an ordered log. It
// serves the tests of cuts, and as a model for connectors to real ones. URI: `replicas:NAME`.
import { CodrError } from '../../base/error.ts';
import type { CatalogChange, CatalogEntry } from '../../model/catalog.ts';
import { type KeyRange, keyAlone } from '../../model/key-range.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';
import type {
  CatalogFold,
  Connector,
  ConnectorContext,
  Finding,
  FoldInput,
  NamedRecords,
  SourceConfig,
  SourceSession,
} from '../connector.ts';
import type { CutPartReader } from '../cut-dataset.ts';
import type { RestoreTarget } from '../restore-target.ts';
import { entryOf, type ReplicaCluster, type ReplicaClusters } from './replica-cluster.ts';
import { foldReplicas } from './replica-merge.ts';
import { ReplicaPartReader } from './replica-part.ts';
import {
  contentOf,
  leadInOf,
  namesOf,
  partitionKey,
  placeKey,
  tokenCount,
  tokenKey,
} from './replica-record.ts';
import { leftAt, ReplicasSession } from './replicas-session.ts';
import { ReplicasTarget } from './replicas-target.ts';

const numberBits = 20n;
const numberMax = (1n << numberBits) - 1n;

export class ReplicasConnector implements Connector {
  readonly kind = 'replicas';
  readonly capabilities = {
    orderedLog: false,
    snapshotReads: false,
    ttlModes: ['keep', 'rebase', 'freeze'] as const,
  };
  readonly #clusters: ReplicaClusters;

  constructor(clusters: ReplicaClusters) {
    this.#clusters = clusters;
  }

  async connect(config: SourceConfig, _context: ConnectorContext): Promise<SourceSession> {
    return new ReplicasSession(this.#find(config, 'source-unreachable'));
  }

  async openTarget(config: SourceConfig): Promise<RestoreTarget> {
    return new ReplicasTarget(this.#find(config, 'target-unfit'));
  }

  openPartReader({ uri }: SourceConfig): CutPartReader {
    return new ReplicaPartReader(() => {
      const cluster = this.#clusters.get(nameIn(uri));
      return cluster?.isReachable ? cluster : undefined;
    });
  }

  leadIn(key: Uint8Array): Uint8Array {
    return leadInOf(key);
  }

  foldRange(input: FoldInput): RecordStream {
    return foldReplicas(input);
  }

  reread(): undefined {}

  foldCatalog(changes: Iterable<CatalogChange>): CatalogEntry[] {
    const fold = this.openCatalog();
    for (const change of changes) fold.apply(change);
    return fold.entries();
  }

  openCatalog(): CatalogFold {
    const tables = new Map<string, CatalogEntry>();
    const entries = (): CatalogEntry[] => [...tables.values()];
    return {
      apply({ kind, dataset, body }): void {
        if (!dataset) return;
        const [version = '', ...name] = Buffer.from(body).toString().split(' ');
        if (kind === 'drop') tables.delete(dataset);
        else tables.set(dataset, entryOf(dataset, name.join(' '), Number(version)));
      },
      entries,
      followed: entries,
    };
  }

  nativeValue(_entry: CatalogEntry, { value }: DataRecord): Uint8Array {
    return value;
  }

  storesNative(): boolean {
    return true;
  }

  /** `cut:7` is the name of a point. */
  parseTime(): undefined {}

  formatTime(time: SourceTime): string {
    return `cut:${time & numberMax}`;
  }

  wallMs(time: SourceTime): number {
    return Number(time >> numberBits);
  }

  timeOfWall(ms: number): SourceTime {
    const whole = Math.floor(ms);
    const last = whole === ms && whole % 1000 === 0 ? whole + 999 : whole;
    return (BigInt(last) << numberBits) | numberMax;
  }

  /** `PARTITION`, or `PARTITION/ROW`. */
  parseKey(_entry: CatalogEntry, text: string): NamedRecords {
    const [partition = '', row] = text.split('/');
    if (partition === '') throw new CodrError('usage', 'a key is not empty');
    if (row !== undefined) {
      return { ranges: [keyAlone(placeKey(partition, 'row', row))], isOne: true };
    }
    return { ranges: [partitionRange(partition)], isOne: false };
  }

  parseQuery(entry: CatalogEntry, text: string): KeyRange[] {
    return [...this.parseKey(entry, text).ranges];
  }

  /** `FROM..TO`: tokens after the first, up to the second. */
  parseRange(text: string): KeyRange[] {
    const match = /^(\d+)\.\.(\d+)$/.exec(text);
    const [from, to] = [Number(match?.[1]), Number(match?.[2])];
    if (!match || from >= to) throw new CodrError('usage', `"${text}" is no range of tokens`);
    const range = { from: tokenKey(from + 1) };
    return [to + 1 < tokenCount ? { ...range, to: tokenKey(to + 1) } : range];
  }

  renderValue(_entry: CatalogEntry, records: readonly DataRecord[]): string[] {
    return records.flatMap((record) => {
      const content = contentOf(record);
      return content.kind === 'row' && content.row.alive ? JSON.stringify(content.row.text) : [];
    });
  }

  renderKey(_entry: CatalogEntry, { key }: DataRecord): string {
    const { partition, row } = namesOf(key);
    return `${partition}/${row}`;
  }

  /** What has expired is left out of what is loaded. */
  expiry(): undefined {}

  definedName(): undefined {}

  leftUnreleased(config: SourceConfig): Finding {
    return leftAt([config.uri]);
  }

  redact(uri: string): string {
    return uri;
  }

  #find({ uri }: SourceConfig, code: 'source-unreachable' | 'target-unfit'): ReplicaCluster {
    const cluster = this.#clusters.get(nameIn(uri));
    if (!cluster?.isReachable) throw new CodrError(code, `no cluster answers at ${uri}`);
    return cluster;
  }
}

const nameIn = (uri: string): string => /^replicas:(.+)$/.exec(uri)?.[1] ?? '';

function partitionRange(partition: string): KeyRange {
  const from = partitionKey(partition);
  const to = Buffer.from(from);
  to[to.length - 1] = 1;
  return { from, to };
}
