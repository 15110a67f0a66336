// What every connector with an ordered log must do, as tests. A `ConformanceWorld` makes the database move
// and says what it held; it uses the database's own means, so that nothing is checked against itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
import { type KeyRange, rangeHolds, rangesBetween, wholeRange } from '../model/key-range.ts';
import { everything } from '../model/namespace.ts';
import type { DataRecord, RecordStream } from '../model/record.ts';
import {
  comparePositions,
  firstTime,
  maxTime,
  type Position,
  type SourceTime,
} from '../model/time.ts';
import type {
  ChangeBatch,
  Connector,
  ConnectorContext,
  SourceConfig,
  SourceSession,
} from './connector.ts';

/** One write to the record of that number: make or replace it, change part of it, or remove it. */
export interface WorldWrite {
  readonly kind: 'put' | 'change' | 'delete';
  readonly record: number;
  /** Decides the content; equal seeds may give equal bytes. */
  readonly seed: number;
}

export interface WorldTransaction {
  write(namespace: string, writes: readonly WorldWrite[]): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

/** A database of its own for one test, empty at the start. */
export interface ConformanceWorld extends AsyncDisposable {
  readonly connector: Connector;
  readonly context: ConnectorContext;
  readonly source: SourceConfig;
  /** Another, empty database. */
  readonly target: SourceConfig;
  create(namespace: string): Promise<void>;
  /** Replaces what has the name `to`. */
  rename(from: string, to: string): Promise<void>;
  drop(namespace: string): Promise<void>;
  write(namespace: string, writes: readonly WorldWrite[]): Promise<void>;
  begin(): Promise<WorldTransaction>;
  /** Native values of all records at that time, in any order; undefined when there was no such dataset. */
  stateAt(namespace: string, at: SourceTime): Promise<Uint8Array[] | undefined>;
  /** Native values that the target holds now. */
  targetState(namespace: string): Promise<Uint8Array[] | undefined>;
  /** Makes the log forget what it can; false when this world cannot. */
  truncateLog(): Promise<boolean>;
}

const recordCount = 30;

export function connectorConformance(name: string, open: () => Promise<ConformanceWorld>): void {
  /** Runs one case in a world of its own. */
  const check = (sentence: string, work: (run: Run) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      await using world = await open();
      const stop = new AbortController();
      const signal = stop.signal;
      await using session = await world.connector.connect(world.source, world.context, signal);
      await work({ world, session, signal });
      stop.abort();
    });
  };
  check('a fold at 20 random times equals what the database held then', foldsAtAnyTime);
  check('splitting a folded range anywhere gives the same records', splitsAnywhere);
  check('following from any batch on gives nothing twice and nothing less', resumesAnywhere);
  check('a transaction is seen whole at its effective time and not before', transactionsAreWhole);
  check('an aborted transaction leaves nothing', abortedLeavesNothing);
  check('a dataset keeps its identity when it is renamed', renamesKeepIdentity);
  check('a dropped dataset is gone from the catalog and gives no segment', dropsAreSeen);
  check('segments of all planned ranges hold the whole dataset', segmentsCover);
  check('following from a place that the log has forgotten fails with gap', gapsAreErrors);
  check('following from a place that never was fails with gap', strangersAreGaps);
  check('what is loaded into a target is read back and stays after the finish', targetsTakeRecords);
  check('a target that holds a name of the restore names it as a conflict', conflictsAreNamed);
}

interface Run {
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
async function capture(run: Run, meanwhile: () => Promise<void>): Promise<Capture> {
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

async function followUntil(
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

function entriesAt({ world }: Run, captured: Capture, at: SourceTime): CatalogEntry[] {
  return world.connector.foldCatalog(captured.catalog.filter(({ time }) => time <= at));
}

function fold(
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

// ---- the cases ----

async function foldsAtAnyTime(run: Run): Promise<void> {
  const { captured, random } = await busyCapture(run);
  const times = [captured.exactFrom, captured.until];
  const changeTimes = captured.changes
    .map(({ time }) => time)
    .filter((time) => time >= captured.exactFrom);
  while (times.length < 22) times.push(changeTimes[random.below(changeTimes.length)] as SourceTime);
  for (const at of times) await assertStateAt(run, captured, at);
}

async function splitsAnywhere(run: Run): Promise<void> {
  const { captured, random } = await busyCapture(run);
  const at = captured.until;
  for (const entry of dataEntries(run, captured, at)) {
    const whole = await gather(fold(run, captured, entry, { at }));
    for (let round = 0; round < 10; round++) {
      const bounds = whole.filter(() => random.below(8) === 0).map(({ key }) => key);
      const pieces: DataRecord[] = [];
      for (const range of rangesBetween(bounds)) {
        pieces.push(...(await gather(fold(run, captured, entry, { range, at }))));
      }
      assert.deepEqual(pieces.map(recordText), whole.map(recordText));
    }
  }
}

async function resumesAnywhere(run: Run): Promise<void> {
  const { world, session, signal } = run;
  await world.create('t.a');
  const { before } = await session.survey(signal);
  const random = new SeededRandom(4);
  const open = await world.begin();
  await open.write('t.a', [{ kind: 'put', record: 900, seed: 1 }]);
  await writeSome(world, 't.a', random, 20);
  await open.write('t.a', [{ kind: 'put', record: 901, seed: 1 }]);
  const middle = await session.watermark(signal);
  const firstHalf = new Map<StreamId, ChangeBatch[]>();
  for (const [stream, position] of before) {
    firstHalf.set(stream, await followPast(run, stream, position, middle));
  }
  await open.commit();
  await writeSome(world, 't.a', random, 20);
  const end = await session.watermark(signal);
  for (const [stream, position] of before) {
    const whole = await followUntil(run, stream, { resume: position, through: position }, end);
    const expected = changeTexts(whole);
    for (const [i, { resume, through }] of [...(firstHalf.get(stream) ?? []), ...whole].entries()) {
      assert.ok(comparePositions(resume, through) <= 0, 'resume never passes through');
      const rest = await followUntil(run, stream, { resume, through }, end);
      const batches = i < (firstHalf.get(stream)?.length ?? 0) ? firstHalf.get(stream) : whole;
      const at = batches?.findIndex((batch) => batch.through === through) ?? 0;
      const joined = [...(batches ?? []).slice(0, at + 1), ...rest];
      assert.deepEqual(changeTexts(joined), expected);
    }
  }
}

async function transactionsAreWhole(run: Run): Promise<void> {
  const { world } = run;
  await world.create('t.a');
  await world.create('t.b');
  const transaction = await world.begin();
  const captured = await capture(run, async () => {
    await transaction.write(
      't.a',
      [601, 602, 603, 604].map((record) => ({ kind: 'put', record, seed: 1 })),
    );
    await writeSome(world, 't.a', new SeededRandom(1), 5);
    await transaction.write('t.b', [{ kind: 'put', record: 5, seed: 1 }]);
    await transaction.commit();
  });
  const inB = captured.changes.filter(
    ({ dataset }) => dataset === entryNamed(run, captured, 't.b').dataset,
  );
  assert.equal(inB.length, 1);
  const at = (inB[0] as Change).time;
  assert.equal(captured.changes.filter(({ time }) => time === at).length, 5, 'all share one time');
  await assertStateAt(run, captured, at);
  await assertStateAt(run, captured, at - 1n);
  assert.equal((await foldedValues(run, captured, 't.b', at - 1n)).length, 0);
  assert.equal((await foldedValues(run, captured, 't.b', at)).length, 1);
}

async function abortedLeavesNothing(run: Run): Promise<void> {
  const { world } = run;
  await world.create('t.a');
  const captured = await capture(run, async () => {
    const transaction = await world.begin();
    await transaction.write('t.a', [{ kind: 'put', record: 1, seed: 1 }]);
    await transaction.abort();
    await world.write('t.a', [{ kind: 'put', record: 2, seed: 2 }]);
  });
  assert.equal((await foldedValues(run, captured, 't.a', captured.until)).length, 1);
}

async function renamesKeepIdentity(run: Run): Promise<void> {
  const { world } = run;
  await world.create('t.old');
  await world.create('t.there');
  await world.write('t.old', [{ kind: 'put', record: 1, seed: 1 }]);
  await world.write('t.there', [{ kind: 'put', record: 2, seed: 2 }]);
  const captured = await capture(run, async () => {
    await world.rename('t.old', 't.there');
    await world.write('t.there', [{ kind: 'change', record: 1, seed: 3 }]);
  });
  const before = entriesAt(run, captured, captured.exactFrom).find(
    ({ namespace }) => namespace === 't.old',
  );
  assert.equal(entryNamed(run, captured, 't.there').dataset, before?.dataset);
  await assertStateAt(run, captured, captured.until);
}

async function dropsAreSeen(run: Run): Promise<void> {
  const { world, session, signal } = run;
  await world.create('t.a');
  await world.write('t.a', [{ kind: 'put', record: 1, seed: 1 }]);
  const captured = await capture(run, () => world.drop('t.a'));
  assert.deepEqual(dataEntries(run, captured, captured.until), []);
  const gone = dataEntries(run, captured, captured.exactFrom)[0] as CatalogEntry;
  assert.equal(await session.readSegment(gone, wholeRange, signal), undefined);
  await assertStateAt(run, captured, captured.exactFrom);
}

async function segmentsCover(run: Run): Promise<void> {
  const { world, session, signal } = run;
  await world.create('t.a');
  await writeSome(world, 't.a', new SeededRandom(2), 60);
  const { datasets } = await session.survey(signal);
  const { entry } = datasets.find((each) => each.entry.namespace === 't.a') as (typeof datasets)[0];
  const ranges = await session.plan(entry, { bytesPerSegment: 100 }, signal);
  assert.equal(ranges[0]?.from, undefined);
  assert.equal(ranges.at(-1)?.to, undefined);
  const values: Uint8Array[] = [];
  for (const range of ranges) {
    const segment = await session.readSegment(entry, range, signal);
    assert.ok(segment);
    const records = await gather(segment.batches);
    assert.ok(records.every(({ key }) => rangeHolds(range, key)));
    assertAscending(records);
    values.push(...records.map((record) => world.connector.nativeValue(entry, record)));
  }
  assert.deepEqual(
    texts(values),
    texts(await world.stateAt('t.a', await session.watermark(signal))),
  );
}

async function gapsAreErrors(run: Run): Promise<void> {
  const { world, session, signal } = run;
  await world.create('t.a');
  const { before } = await session.survey(signal);
  await writeSome(world, 't.a', new SeededRandom(3), 10);
  if (!(await world.truncateLog())) return;
  for (const [stream, position] of before) await assertGap(run, stream, position);
}

async function strangersAreGaps(run: Run): Promise<void> {
  const { before } = await run.session.survey(run.signal);
  for (const [stream, { time, term }] of before)
    await assertGap(run, stream, { time, term: term + 7n });
}

async function targetsTakeRecords(run: Run): Promise<void> {
  const { world, signal } = run;
  const { captured } = await busyCapture(run);
  const at = captured.until;
  await using target = await world.connector.openTarget(world.target, world.context, signal);
  const items = dataEntries(run, captured, at).map((entry) => ({
    entry,
    namespace: entry.namespace,
  }));
  const options = { operation: 'op1', renames: [], scope: everything, drop: false } as const;
  await target.plan(items, { ...options, ttl: 'keep', usersAndRoles: false }, signal);
  await target.begin(signal);
  for (const item of items) {
    await target.create(item, signal);
    const loaded = await target.load(item, fold(run, captured, item.entry, { at }), signal);
    await target.index(item, signal);
    const back = await gather(target.readBack(item, wholeRange, signal));
    const expected = await gather(fold(run, captured, item.entry, { at }));
    assert.equal(loaded.records, expected.length);
    assert.deepEqual(back.map(recordText), expected.map(recordText));
    await target.done(item, signal);
  }
  await target.finish(items, signal);
  for (const { namespace } of items) {
    assert.deepEqual(
      texts(await world.targetState(namespace)),
      texts(await world.stateAt(namespace, at)),
    );
  }
}

async function conflictsAreNamed(run: Run): Promise<void> {
  const { world, signal } = run;
  await world.create('t.a');
  await world.write('t.a', [{ kind: 'put', record: 1, seed: 1 }]);
  const captured = await capture(run, async () => {});
  const entry = entryNamed(run, captured, 't.a');
  await using target = await world.connector.openTarget(world.source, world.context, signal);
  const items = [{ entry, namespace: 't.a' }];
  const options = {
    operation: 'op1',
    renames: [],
    scope: everything,
    ttl: 'keep',
    usersAndRoles: false,
  } as const;
  const kept = await target.plan(items, { ...options, drop: false }, signal);
  assert.deepEqual(kept.conflicts, ['t.a']);
  const replaced = await target.plan(items, { ...options, drop: true }, signal);
  assert.deepEqual(replaced.conflicts, []);
  assert.ok(replaced.dropped.includes('t.a'));
}

// ---- tools ----

/** A capture while writes, transactions, renames and drops go on. */
async function busyCapture(run: Run): Promise<{ captured: Capture; random: SeededRandom }> {
  const { world } = run;
  const random = new SeededRandom(17);
  await world.create('t.a');
  await world.create('t.b');
  await writeSome(world, 't.a', random, 40);
  await writeSome(world, 't.b', random, 20);
  const early = await world.begin();
  await early.write('t.a', [{ kind: 'put', record: 500, seed: 5 }]);
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
async function writeSome(
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

async function assertStateAt(run: Run, captured: Capture, at: SourceTime): Promise<void> {
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

async function foldedValues(
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
  return records.map((record) => run.world.connector.nativeValue(entry, record));
}

/** The entries of the names that these tests use. */
function dataEntries(run: Run, captured: Capture, at: SourceTime): CatalogEntry[] {
  return entriesAt(run, captured, at).filter((entry) => entry.namespace.startsWith('t.'));
}

function entryNamed(run: Run, captured: Capture, namespace: string): CatalogEntry {
  const entry = entriesAt(run, captured, captured.until).find(
    (each) => each.namespace === namespace,
  );
  assert.ok(entry, `${namespace} is in the catalog`);
  return entry;
}

/** Follows until `through` has passed `until`, whatever is still open. */
async function followPast(
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
async function assertGap({ session }: Run, stream: StreamId, position: Position): Promise<void> {
  const stop = new AbortController();
  const following = async (): Promise<void> => {
    let batchesLeft = 10;
    const from = { resume: position, through: position };
    for await (const _ of session.follow(stream, from, stop.signal)) if (--batchesLeft === 0) break;
  };
  await assert.rejects(following(), (error) => isCodrError(error, 'gap'));
  stop.abort();
}

function changeTexts(batches: readonly ChangeBatch[]): string[] {
  const changes = batches.flatMap((batch) => batch.changes).toSorted(compareChanges);
  for (let i = 1; i < changes.length; i++) {
    assert.ok(!isSameChange(changes[i - 1] as Change, changes[i] as Change), 'a change came twice');
  }
  return changes.map(({ dataset, key, kind, time, value }) =>
    [dataset, toHex(key), kind, time, toHex(value)].join(' '),
  );
}

function assertAscending(records: readonly DataRecord[]): void {
  for (let i = 1; i < records.length; i++) {
    const [before, after] = [records[i - 1] as DataRecord, records[i] as DataRecord];
    assert.ok(compareBytes(before.key, after.key) < 0, 'keys ascend');
  }
}

function recordText({ key, value }: DataRecord): string {
  return `${toHex(key)} ${toHex(value)}`;
}

function texts(values: readonly Uint8Array[] | undefined): string[] | undefined {
  return values?.map(toHex).sort();
}

async function gather(batches: RecordStream): Promise<DataRecord[]> {
  const records: DataRecord[] = [];
  for await (const batch of batches) records.push(...batch);
  return records;
}

async function* oneBatch<T>(items: readonly T[]): AsyncGenerator<readonly T[], void, void> {
  if (items.length > 0) yield items;
}
