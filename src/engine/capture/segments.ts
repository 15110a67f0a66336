// Reading key ranges of a live source into parts of trees, here or on another peer: what goes there, what
// comes back, and the reading itself. The reader stores leaves and nodes; whoever asked commits them.
import { fromBase64, fromHex, toBase64, toHex } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { WorkContext, WorkOrder } from '../../cluster/work-pool.ts';
import type { SourceSession } from '../../connector/connector.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import { leafId, type PackId } from '../../model/id.ts';
import type { KeyRange } from '../../model/key-range.ts';
import type { RecordStream } from '../../model/record.ts';
import { type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type { UsedPacks } from '../../repository/pack/blob-session.ts';
import type { RepositorySession } from '../../repository/repository.ts';
import { joinParts } from '../../repository/tree/join.ts';
import { buildRange } from '../../repository/tree/range-builder.ts';
import { encodeTreePart } from '../../repository/tree/tree-part.ts';
import type { TreeRoot } from '../../repository/tree/tree-root.ts';
import { heldReading } from '../held-reading.ts';
import type { SourceContext } from '../source-context.ts';
import { type EntryText, entryFromText, entryToText } from '../work/entry-text.ts';
import { type RangeText, rangeFromText, rangeToText } from '../work/range-text.ts';

/** One range of one dataset. */
export interface Unit {
  readonly entry: CatalogEntry;
  readonly range: KeyRange;
  /** The dataset changes faster than a snapshot lasts: a copy that needs the log from its start on. */
  readonly fuzzy: boolean;
}

/** What reading a unit gave. */
export interface BuiltUnit {
  readonly after: SourceTime;
  readonly exactFrom: SourceTime;
  readonly records: number;
  readonly bytes: number;
  /** {@link encodeTreePart}; absent when the whole dataset was built. */
  readonly part?: Uint8Array;
  /** Of the whole dataset. */
  readonly root?: TreeRoot;
}

export interface BuiltUnits {
  /** In the order of the units; undefined: the dataset is gone, and the log says so. */
  readonly units: readonly (BuiltUnit | undefined)[];
  /** What the commit of it relies on. */
  readonly used: UsedPacks;
  /** Raw bytes that the repository held already. */
  readonly knownBytes: number;
}

/** What is to be read, and how. */
export interface Reading {
  readonly units: readonly Unit[];
  /** Each unit is all of its dataset, and its tree is finished. */
  readonly whole: boolean;
  /** The share of what the source allows that this reading has; 0: no limit. */
  readonly bytesPerSecond: number;
}

/** Errors: those of the session. */
export async function buildUnits(
  context: Pick<SourceContext, 'repository' | 'world' | 'pace'>,
  session: Pick<SourceSession, 'readSegment' | 'pressure'>,
  { units, whole, bytesPerSecond }: Reading,
  work: WorkContext,
): Promise<BuiltUnits> {
  context.pace?.asks(session, work.signal);
  const slowed = (batches: RecordStream): RecordStream =>
    heldReading(batches, context, { work, bytesPerSecond });
  const store = context.repository.session();
  const built: (BuiltUnit | undefined)[] = [];
  for (const unit of units)
    built.push(await buildUnit(session, store, unit, { whole, work, slowed }));
  work.signal.throwIfAborted();
  return { units: built, used: await store.flush(), knownBytes: store.knownBytes };
}

async function buildUnit(
  session: Pick<SourceSession, 'readSegment'>,
  store: RepositorySession,
  { entry, range, fuzzy }: Unit,
  {
    whole,
    work,
    slowed,
  }: {
    readonly whole: boolean;
    readonly work: WorkContext;
    slowed(batches: RecordStream): RecordStream;
  },
): Promise<BuiltUnit | undefined> {
  try {
    const reader = await session.readSegment(entry, range, work.signal, { fuzzy });
    if (!reader) return undefined;
    const part = await buildRange(slowed(reader.batches), store.tree(work.signal));
    const { after } = reader;
    const { records, bytes } = part;
    const read = { after, exactFrom: reader.exactFrom(), records, bytes };
    return whole
      ? { ...read, root: await joinParts([part], store.tree(work.signal)) }
      : { ...read, part: await encodeTreePart(part, store.sink) };
  } catch (error) {
    if (!isCodrError(error, 'snapshot-too-old')) throw error;
    // A member that fell silent says nothing about the size of what was read.
    const silent = isCodrError(error.cause, 'source-unreachable');
    const facts = { ...error.facts, dataset: entry.dataset, silent };
    throw new CodrError(error.code, error.message, { cause: error, facts });
  }
}

/** Kind of the order that {@link segmentOrder} makes. */
export const segmentKind = 'segments';

export interface SegmentOrder extends Reading {
  /** Lineage of the source. */
  readonly source: string;
  /** What the source must call itself. */
  readonly identity: string;
  /** Packs that no commit may rely on any more. */
  readonly refused: readonly PackId[];
}

interface OrderText extends Omit<SegmentOrder, 'units' | 'bytesPerSecond'> {
  readonly units: readonly { entry: EntryText; range: RangeText; fuzzy: boolean }[];
  /** Peers of versions before leave it out. */
  readonly bytesPerSecond?: number;
}

export function segmentOrder({ units, ...order }: SegmentOrder): WorkOrder {
  const input: OrderText = {
    ...order,
    units: units.map(({ entry, range, fuzzy }) => ({
      entry: entryToText(entry),
      range: rangeToText(range),
      fuzzy,
    })),
  };
  return { kind: segmentKind, input };
}

export function readSegmentOrder(input: unknown): SegmentOrder {
  const { units, bytesPerSecond = 0, ...order } = input as OrderText;
  return {
    ...order,
    bytesPerSecond,
    units: units.map(({ entry, range, fuzzy }) => ({
      entry: entryFromText(entry),
      range: rangeFromText(range),
      fuzzy,
    })),
  };
}

interface BuiltText {
  readonly units: readonly (UnitText | null)[];
  readonly used: UsedPacks;
  readonly knownBytes: number;
}

interface UnitText {
  readonly after: string;
  readonly exactFrom: string;
  readonly records: number;
  readonly bytes: number;
  readonly part?: string;
  readonly root?: Omit<TreeRoot, 'id'> & { readonly id: string };
}

export function builtToText({ units, used, knownBytes }: BuiltUnits): unknown {
  const text: BuiltText = {
    units: units.map((unit) => {
      if (!unit) return null;
      const { after, exactFrom, part, root, ...counts } = unit;
      return {
        ...counts,
        after: timeToHex(after),
        exactFrom: timeToHex(exactFrom),
        ...(part && { part: toBase64(part) }),
        ...(root && { root: { ...root, id: toHex(root.id) } }),
      };
    }),
    used,
    knownBytes,
  };
  return text;
}

export function builtFromText(result: unknown): BuiltUnits {
  const { units, used, knownBytes } = result as BuiltText;
  return {
    units: units.map((unit) => {
      if (!unit) return undefined;
      const { after, exactFrom, part, root, ...counts } = unit;
      return {
        ...counts,
        after: timeFromHex(after),
        exactFrom: timeFromHex(exactFrom),
        ...(part !== undefined && { part: fromBase64(part) }),
        ...(root && { root: { ...root, id: leafId(fromHex(root.id)) } }),
      };
    }),
    used,
    knownBytes,
  };
}
