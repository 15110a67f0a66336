// A source without an ordered log for tests: tables of keys and values in memory, of which the larger value
// wins. What was written since the cut before is what a cut reads. Values are `version:text`, deletions
// `version-`; what a reader sees is what is no deletion. A cut remembers which deletions are settled, of which
// nothing may come back that is older.
import { compareBytes, toHex, view } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type {
  CatalogFold,
  Connector,
  CutBefore,
  CutGrade,
  CutMemory,
  CutReader,
  Finding,
  FoldInput,
  SourceSession,
} from '../../connector/connector.ts';
import type { CutDataset } from '../../connector/cut-dataset.ts';
import type { CatalogChange, CatalogEntry } from '../../model/catalog.ts';
import { datasetId, streamId } from '../../model/id.ts';
import { rangeHolds } from '../../model/key-range.ts';
import { type Scope, scopeHolds } from '../../model/namespace.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';

interface Write {
  readonly seq: number;
  readonly key: string;
  readonly value: string;
}

interface Table {
  readonly entry: CatalogEntry;
  writes: Write[];
  truncatedSeq: number;
  /** A file turns out to be damaged when it is read. */
  damaged: boolean;
}

const stream = streamId('cuts');

/** The live database, which tests write into. */
export class CutDatabase {
  nowMs = 1_800_000_000_000;
  grade: CutGrade = 'complete';
  isReachable = true;
  identity = 'cluster';
  /** Called when a cut has been read, before it is stored: the process may die here. */
  beforeReport = (): void => {};
  readonly tables = new Map<string, Table>();
  /** What each cut was given. */
  readonly asked: (CutBefore | undefined)[] = [];
  /** Deletions up to this version are on no replica any more. */
  settledVersion = 0;
  readonly calls = { committed: 0, disposed: 0, released: 0 };
  #seq = 0;
  #tables = 0;

  create(name: string): void {
    const dataset = datasetId(String(++this.#tables).padStart(32, '0'));
    const body = Buffer.from(name);
    const entry = { dataset, namespace: name, role: 'data', kind: 'table', body } as const;
    this.tables.set(name, { entry, writes: [], truncatedSeq: 0, damaged: false });
  }

  /** Without a version: later than all before. */
  write(name: string, key: string, text: string, version = this.#seq + 1): void {
    this.#add(name, key, `${String(version).padStart(6, '0')}:${text}`);
  }

  remove(name: string, key: string): void {
    this.#add(name, key, `${String(this.#seq + 1).padStart(6, '0')}-`);
  }

  truncate(name: string): void {
    const table = this.table(name);
    table.writes = [];
    table.truncatedSeq = ++this.#seq;
  }

  table(name: string): Table {
    const table = this.tables.get(name);
    if (!table) throw new Error(`no table ${name}`);
    return table;
  }

  /** What a reader sees now, by key. */
  live(name: string): Record<string, string> {
    const seen = merged(this.table(name).writes.map(recordOf)).filter(isAlive);
    return Object.fromEntries(seen.map(({ key, value }) => [view(key).toString(), textOf(value)]));
  }

  get seq(): number {
    return this.#seq;
  }

  #add(name: string, key: string, value: string): void {
    this.table(name).writes.push({ seq: ++this.#seq, key, value });
  }
}

/** A session upon the database; only what cuts need. */
export function cutSession(database: CutDatabase): SourceSession {
  const session: Partial<SourceSession> = {
    identity: { id: database.identity, version: '1', streams: [stream] },
    check: async () => [],
    cut: async (before, scope) => openCut(database, before, scope),
    release: async (): Promise<Finding[]> => {
      database.calls.released++;
      return [];
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return session as SourceSession;
}

function openCut(database: CutDatabase, before: CutBefore | undefined, scope: Scope): CutReader {
  database.asked.push(before);
  const { seq } = database;
  const known = before?.memory ? stateOf(before.memory).seq : 0;
  const number = (before?.number ?? 0) + 1;
  const time = (BigInt(database.nowMs) << 20n) | BigInt(number);
  const tables = [...database.tables.values()].filter(({ entry }) =>
    scopeHolds(scope, entry.namespace),
  );
  const catalog = catalogChanges(tables, before?.entries ?? [], time);
  const notes: string[] = [];
  const datasets = tables.flatMap((table): CutDataset[] => {
    const { entry, truncatedSeq } = table;
    const isKnown = before?.entries.some(({ dataset }) => dataset === entry.dataset) ?? false;
    const begins = !isKnown || truncatedSeq > known;
    const writes = table.writes.filter((write) => begins || write.seq > known);
    if (!begins && writes.length === 0) return [];
    let isRead = false;
    const records = async function* (): RecordStream {
      const whole = merged(writes.map(recordOf));
      if (table.damaged && !isRead) {
        isRead = true;
        notes.push(`${entry.namespace}: a file is damaged`);
        // What only that file held came first, and must not stay.
        yield [{ key: Buffer.from('!damaged'), value: Buffer.from('999999:x') }];
        throw new CodrError('file-damaged', 'a file is damaged', { object: 'nb-1-big-Data.db' });
      }
      yield whole;
    };
    return [{ entry, begins, bytes: writes.length * 10, records }];
  });
  return {
    time,
    number,
    catalog,
    datasets,
    report: () => {
      database.beforeReport();
      return { grade: notes.length > 0 ? 'quorum-safe' : database.grade, notes };
    },
    memory: () => new Map([['all', JSON.stringify({ seq, settled: database.settledVersion })]]),
    committed: async () => void database.calls.committed++,
    [Symbol.asyncDispose]: async () => void database.calls.disposed++,
  };
}

function stateOf(memory: CutMemory): { readonly seq: number; readonly settled: number } {
  return JSON.parse(memory.get('all') ?? '');
}

function catalogChanges(
  tables: readonly Table[],
  before: readonly CatalogEntry[],
  time: SourceTime,
): CatalogChange[] {
  const created = tables
    .filter(({ entry }) => !before.some(({ dataset }) => dataset === entry.dataset))
    .map(({ entry }) => ({ kind: 'create', dataset: entry.dataset, body: entry.body }));
  const dropped = before
    .filter(({ dataset }) => !tables.some(({ entry }) => entry.dataset === dataset))
    .map(({ dataset, body }) => ({ kind: 'drop', dataset, body }));
  return [...created, ...dropped].map((change, index) => ({
    ...change,
    time,
    position: { time, term: 0n },
    index,
    stream,
  }));
}

function foldCatalog(changes: Iterable<CatalogChange>): CatalogEntry[] {
  const entries = new Map<string, CatalogEntry>();
  for (const { kind, dataset, body } of changes) {
    if (!dataset) continue;
    const namespace = view(body).toString();
    if (kind === 'drop') entries.delete(dataset);
    else entries.set(dataset, { dataset, namespace, role: 'data', kind: 'table', body });
  }
  return [...entries.values()];
}

async function* foldRange({ base, later, range }: FoldInput): RecordStream {
  const all: DataRecord[] = [];
  for (const records of [base, ...(later?.cuts ?? [])]) {
    for await (const batch of records) all.push(...batch);
  }
  const inRange = merged(all).filter(({ key }) => rangeHolds(range, key));
  const state = later?.stored?.provenBy;
  const settled = state ? stateOf(state).settled : 0;
  const isNeeded = (record: DataRecord): boolean =>
    isAlive(record) || Number(view(record.value).toString().slice(0, 6)) > settled;
  const given = inRange.filter(later?.live ? isAlive : isNeeded);
  if (given.length > 0) yield given;
}

/** Ascending, of each key the larger value. */
function merged(records: readonly DataRecord[]): DataRecord[] {
  const best = new Map<string, DataRecord>();
  for (const record of records) {
    const name = toHex(record.key);
    const known = best.get(name);
    if (!known || compareBytes(known.value, record.value) < 0) best.set(name, record);
  }
  return [...best.values()].sort((a, b) => compareBytes(a.key, b.key));
}

const recordOf = ({ key, value }: Write): DataRecord => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
});
const isAlive = ({ value }: DataRecord): boolean => view(value).toString()[6] === ':';

/** Without its version. */
export function textOf(value: Uint8Array): string {
  return view(value).toString().slice(7);
}

export function cutConnector(database: CutDatabase): Connector {
  const connector: Partial<Connector> = {
    kind: 'cuts',
    capabilities: { orderedLog: false, snapshotReads: false, ttlModes: ['keep'] },
    connect: async () => {
      if (database.isReachable) return cutSession(database);
      throw new CodrError('source-unreachable', 'nobody answers');
    },
    leftUnreleased: () => ({ level: 'warning', message: 'left at n1', remedy: 'switch it off' }),
    redact: (uri) => uri,
    foldRange,
    leadIn: (key) => key,
    reread: () => undefined,
    foldCatalog,
    openCatalog(): CatalogFold {
      const changes: CatalogChange[] = [];
      const entries = (): CatalogEntry[] => foldCatalog(changes);
      return { apply: (change) => void changes.push(change), entries, followed: entries };
    },
    nativeValue: (_, { value }) => value,
    storesNative: () => true,
    parseTime: () => undefined,
    formatTime: (time) => `cut:${time & 0xf_ffffn}`,
    wallMs: (time) => Number(time >> 20n),
    timeOfWall: (ms) => (BigInt(Math.floor(ms)) << 20n) | 0xf_ffffn,
  };
  return connector as Connector;
}
