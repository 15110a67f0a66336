// The hands of the connector conformance suite: a plain capture held in memory, folds over it, and the
// comparison of what comes out with what the database says it held.
import assert from 'node:assert/strict';
import { compareBytes, emptyBytes, toHex } from '../base/bytes.ts';
import { isCodrError } from '../base/error.ts';
import { SeededRandom } from '../base/random.ts';
import type { CatalogChange, CatalogEntry } from '../model/catalog.ts';
import {
  type Change,
  changeKinds,
  compareChanges,
  compareOrder,
  isSameChange,
} from '../model/change.ts';
import type { StreamId } from '../model/id.ts';
import { type KeyRange, rangeHolds, wholeRange } from '../model/key-range.ts';
import type { DataRecord, RecordStream } from '../model/record.ts';
import { firstTime, maxTime, type Position, type SourceTime } from '../model/time.ts';
import type { ConformanceWorld, WorldWrite } from './conformance-world.ts';
import type { ChangeBatch, SourceSession } from './connector.ts';

const recordCount = 30;

export interface Run {
  readonly world: ConformanceWorld;
  readonly session: SourceSession;
  readonly signal: AbortSignal;
}

// ---- what a capture gathers ----

interface Capture {
  readonly exactFrom: SourceTime;
  /** Base records by dataset, with the time after which changes apply. */
  readonly base: ReadonlyMap<string, { readonly records: DataRecord[]; readonly steps: Step[] }>;
  readonly changes: readonly Change[];
  readonly catalog: readonly CatalogChange[];
  readonly until: SourceTime;
}

interface Step {
  readonly from: Uint8Array;
  readonly after: SourceTime;
}

/** Surveys, reads all segments while `meanwhile` writes, and follows every stream up to a watermark. */
export async function capture(run: Run, meanwhile: () => Promise<void>): Promise<Capture> {
  const { session, signal } = run;
  const survey = await session.survey(signal);
  let exactFrom = survey.exactFrom;
  const base = new Map<string, { records: DataRecord[]; steps: Step[] }>();
  for (const { entry } of survey.datasets) {
    const records: DataRecord[] = [];
    const steps: Step[] = [];
    for (const range of await session.plan(entry, { bytesPerSegment: 200 }, signal)) {
      const segment = await session.readSegment(entry, range, signal);
      if (!segment) continue;
      records.push(...(await gather(segment.batches)));
      steps.push({ from: range.from ?? emptyBytes, after: segment.after });
      exactFrom = maxTime(exactFrom, segment.exactFrom());
    }
    base.set(entry.dataset, { records, steps });
  }
  await meanwhile();
  const until = await session.watermark(signal);
  const changes: Change[] = [];
  const catalog: CatalogChange[] = [...survey.catalog];
  for (const [stream, before] of survey.before) {
    for (const batch of await followUntil(
      run,
      stream,
      { resume: before, through: before },
      until,
    )) {
      changes.push(...batch.changes);
      catalog.push(...batch.catalog);
    }
  }
  changes.sort(compareChanges);
  catalog.sort(compareOrder);
  return { exactFrom, base, changes, catalog, until };
}

export async function followUntil(
  { session }: Run,
  stream: StreamId,
  from: { readonly resume: Position; readonly through: Position },
  until: SourceTime,
): Promise<ChangeBatch[]> {
  const stop = new AbortController();
  const batches: ChangeBatch[] = [];
  for await (const batch of session.follow(stream, from, stop.signal)) {
    batches.push(batch);
    assert.deepEqual(batch.unknown, []);
    assert.ok(batch.settled <= batch.through.time);
    if (batch.settled >= until) break;
  }
  stop.abort();
  return batches;
}

export function entriesAt({ world }: Run, captured: Capture, at: SourceTime): CatalogEntry[] {
  return world.connector.foldCatalog(captured.catalog.filter(({ time }) => time <= at));
}

export function fold(
  { world }: Run,
  captured: Capture,
  entry: CatalogEntry,
  { range = wholeRange, at }: { range?: KeyRange; at: SourceTime },
): RecordStream {
  const base = captured.base.get(entry.dataset);
  const own = captured.changes.filter(
    ({ dataset, time }) => dataset === entry.dataset && time <= at,
  );
  const isClear = ({ kind }: Change): boolean => kind === changeKinds.clear;
  return world.connector.foldRange({
    range,
    base: oneBatch((base?.records ?? []).filter(({ key }) => rangeHolds(range, key))),
    baseAfter: base?.steps ?? [{ from: emptyBytes, after: firstTime }],
    exactFrom: captured.exactFrom,
    changes: oneBatch(own.filter((change) => !isClear(change) && rangeHolds(range, change.key))),
    clears: own.filter(isClear),
    at,
  });
}

// ---- tools ----

/** A capture while writes, transactions, renames and drops go on. */
export async function busyCapture(run: Run): Promise<{ captured: Capture; random: SeededRandom }> {
  const { world } = run;
  const random = new SeededRandom(17);
  await world.create('t.a');
  await world.create('t.b');
  await writeSome(world, 't.a', random, 40);
  await writeSome(world, 't.b', random, 20);
  await world.write('t.a', [{ kind: 'put', record: 700, seed: 2 }]);
  const early = await world.begin();
  await early.write('t.a', [{ kind: 'put', record: 500, seed: 5 }]);
  // Followed again from where the transaction began, though the base copy holds it already.
  await world.write('t.a', [{ kind: 'change', record: 700, seed: 2 }]);
  await writeSome(world, 't.a', random, 15);
  const captured = await capture(run, async () => {
    await writeSome(world, 't.a', random, 30);
    await early.write('t.b', [{ kind: 'put', record: 501, seed: 6 }]);
    await world.create('t.new');
    await writeSome(world, 't.new', random, 20);
    await early.commit();
    await world.rename('t.new', 't.b');
    await writeSome(world, 't.b', random, 20);
    const late = await world.begin();
    await late.write('t.a', [{ kind: 'put', record: 502, seed: 7 }]);
    await late.write('t.a', [{ kind: 'change', record: 502, seed: 8 }]);
    await late.commit();
    await world.write('t.a', [{ kind: 'delete', record: 502, seed: 0 }]);
    await writeSome(world, 't.a', random, 20);
  });
  return { captured, random };
}

/** Puts, changes and deletes of few records; what does not exist is put first. */
export async function writeSome(
  world: ConformanceWorld,
  namespace: string,
  random: SeededRandom,
  count: number,
): Promise<void> {
  for (let i = 0; i < count; i++) {
    const record = random.below(recordCount);
    const put: WorldWrite = { kind: 'put', record, seed: random.below(1000) };
    const kinds = ['put', 'change', 'change', 'delete'] as const;
    const then = {
      kind: kinds[random.below(4)] as WorldWrite['kind'],
      record,
      seed: random.below(1000),
    };
    await world.write(namespace, random.below(2) === 0 ? [put] : [put, then]);
  }
}

export async function assertStateAt(run: Run, captured: Capture, at: SourceTime): Promise<void> {
  for (const { namespace } of dataEntries(run, captured, at)) {
    const held = await run.world.stateAt(namespace, at);
    assert.ok(held, `${namespace} is there at ${at}`);
    assert.deepEqual(
      texts(await foldedValues(run, captured, namespace, at)),
      texts(held),
      `${namespace} at ${at}`,
    );
  }
}

export async function foldedValues(
  run: Run,
  captured: Capture,
  namespace: string,
  at: SourceTime,
): Promise<Uint8Array[]> {
  const entry = dataEntries(run, captured, at).find(
    (each) => each.namespace === namespace,
  ) as CatalogEntry;
  const records = await gather(fold(run, captured, entry, { at }));
  assertAscending(records);
  const { connector } = run.world;
  const values = records.map((record) => connector.nativeValue(entry, record));
  const stored = records.map(({ value }) => value);
  if (connector.storesNative(entry)) assert.deepEqual(values, stored);
  return values;
}

/** The entries of the names that these tests use. */
export function dataEntries(run: Run, captured: Capture, at: SourceTime): CatalogEntry[] {
  return entriesAt(run, captured, at).filter((entry) => entry.namespace.startsWith('t.'));
}

export function entryNamed(run: Run, captured: Capture, namespace: string): CatalogEntry {
  const entry = entriesAt(run, captured, captured.until).find(
    (each) => each.namespace === namespace,
  );
  assert.ok(entry, `${namespace} is in the catalog`);
  return entry;
}

/** Follows until `through` has passed `until`, whatever is still open. */
export async function followPast(
  { session }: Run,
  stream: StreamId,
  from: Position,
  until: SourceTime,
): Promise<ChangeBatch[]> {
  const stop = new AbortController();
  const batches: ChangeBatch[] = [];
  for await (const batch of session.follow(stream, { resume: from, through: from }, stop.signal)) {
    batches.push(batch);
    if (batch.through.time >= until) break;
  }
  stop.abort();
  return batches;
}

/** The error must come at once: within a few batches, however many a follower could give. */
export async function assertGap(
  { session }: Run,
  stream: StreamId,
  position: Position,
): Promise<void> {
  const stop = new AbortController();
  const following = async (): Promise<void> => {
    let batchesLeft = 10;
    const from = { resume: position, through: position };
    for await (const _ of session.follow(stream, from, stop.signal)) if (--batchesLeft === 0) break;
  };
  await assert.rejects(following(), (error) => isCodrError(error, 'gap'));
  stop.abort();
}

export function changeTexts(batches: readonly ChangeBatch[]): string[] {
  const changes = batches.flatMap((batch) => batch.changes).toSorted(compareChanges);
  for (let i = 1; i < changes.length; i++) {
    assert.ok(!isSameChange(changes[i - 1] as Change, changes[i] as Change), 'a change came twice');
  }
  return changes.map(({ dataset, key, kind, time, value }) =>
    [dataset, toHex(key), kind, time, toHex(value)].join(' '),
  );
}

export function assertAscending(records: readonly DataRecord[]): void {
  for (let i = 1; i < records.length; i++) {
    const [before, after] = [records[i - 1] as DataRecord, records[i] as DataRecord];
    assert.ok(compareBytes(before.key, after.key) < 0, 'keys ascend');
  }
}

export function recordText({ key, value }: DataRecord): string {
  return `${toHex(key)} ${toHex(value)}`;
}

export function texts(values: readonly Uint8Array[] | undefined): string[] | undefined {
  return values?.map(toHex).sort();
}

export async function gather(batches: RecordStream): Promise<DataRecord[]> {
  const records: DataRecord[] = [];
  for await (const batch of batches) records.push(...batch);
  return records;
}

async function* oneBatch<T>(items: readonly T[]): AsyncGenerator<readonly T[], void, void> {
  if (items.length > 0) yield items;
}
