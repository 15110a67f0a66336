// The connector to memory databases: the smallest complete one. It serves the tests of the engine and as a
// model for connectors to real databases. URI: `memory:NAME`.
import { view } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { CatalogChange, CatalogEntry } from '../../model/catalog.ts';
import type { Change } from '../../model/change.ts';
import { keyAlone } from '../../model/key-range.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';
import type {
  CatalogFold,
  Connector,
  ConnectorContext,
  FoldInput,
  NamedRecords,
  SourceConfig,
  SourceSession,
} from '../connector.ts';
import type { StoredEntry } from '../log-doubt.ts';
import type { RestoreTarget } from '../restore-target.ts';
import type { MemoryDatabase, MemoryDatabases } from './memory-database.ts';
import { foldMemoryCatalog, foldMemoryRange } from './memory-fold.ts';
import { rereadOperations } from './memory-follow.ts';
import { MemorySession } from './memory-session.ts';
import { MemoryTarget } from './memory-target.ts';

export class MemoryConnector implements Connector {
  readonly kind = 'memory';
  readonly capabilities = {
    orderedLog: true,
    snapshotReads: true,
    ttlModes: ['keep', 'hold'] as const,
  };
  /** As a later version, which knows stored entries that this one does not. */
  knowing = false;
  readonly #databases: MemoryDatabases;

  constructor(databases: MemoryDatabases) {
    this.#databases = databases;
  }

  async connect(config: SourceConfig, context: ConnectorContext): Promise<SourceSession> {
    return new MemorySession(this.#find(config, 'source-unreachable'), context);
  }

  async openTarget(config: SourceConfig): Promise<RestoreTarget> {
    return new MemoryTarget(this.#find(config, 'target-unfit'));
  }

  leadIn(key: Uint8Array): Uint8Array {
    return key;
  }

  foldRange(input: FoldInput): RecordStream {
    return foldMemoryRange(input);
  }

  reread(stored: StoredEntry): readonly Change[] | undefined {
    return this.knowing ? rereadOperations(stored) : undefined;
  }

  foldCatalog(changes: Iterable<CatalogChange>): CatalogEntry[] {
    return foldMemoryCatalog(changes);
  }

  openCatalog(): CatalogFold {
    const changes: CatalogChange[] = [];
    return {
      apply: (change) => void changes.push(change),
      entries: () => foldMemoryCatalog(changes),
      followed: () => foldMemoryCatalog(changes),
    };
  }

  nativeValue(_entry: CatalogEntry, record: DataRecord): Uint8Array {
    return record.value;
  }

  storesNative(): boolean {
    return true;
  }

  /** `seconds:increment`, as cluster times are written. */
  parseTime(text: string): SourceTime | undefined {
    const parts = /^(\d{1,10}):(\d{1,10})$/.exec(text);
    if (!parts) return undefined;
    return (BigInt(parts[1] as string) << 32n) | BigInt(parts[2] as string);
  }

  formatTime(time: SourceTime): string {
    return `${time >> 32n}:${time & 0xffff_ffffn}`;
  }

  wallMs(time: SourceTime): number {
    return Number(time >> 32n) * 1000;
  }

  timeOfWall(ms: number): SourceTime {
    const begun = Math.floor(ms / 1000);
    return (BigInt(ms % 1000 === 0 ? begun : begun - 1) << 32n) | 0xffff_ffffn;
  }

  /** The key is the text's UTF-8. */
  parseKey(_entry: CatalogEntry, text: string): NamedRecords {
    if (text === '') throw new CodrError('usage', 'a key is not empty');
    return { ranges: [keyAlone(Buffer.from(text))], isOne: true };
  }

  renderValue(_entry: CatalogEntry, records: readonly DataRecord[]): string[] {
    return records.map(({ value }) => JSON.stringify(view(value).toString()));
  }

  renderKey(_entry: CatalogEntry, { key }: DataRecord): string {
    return view(key).toString();
  }

  /** Nothing of a memory database goes by itself. */
  expiry(): undefined {}

  /** Definitions have no names of their own. */
  definedName(): undefined {}

  redact(uri: string): string {
    return uri;
  }

  #find(config: SourceConfig, code: 'source-unreachable' | 'target-unfit'): MemoryDatabase {
    const name = /^memory:(.+)$/.exec(config.uri)?.[1];
    const database = name === undefined ? undefined : this.#databases.get(name);
    if (!database) throw new CodrError(code, `no memory database answers at ${config.uri}`);
    database.maybeFail('connect');
    return database;
  }
}
