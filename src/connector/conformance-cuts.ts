// What every connector without an ordered log must do, as tests: cuts hold what is new, a fold of them is what the
// database holds, late data enters the cut that finds it. A `CutConformanceWorld` makes the database move and says
// what it holds, by the database's own means.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareBytes } from '../base/bytes.ts';
import { SeededRandom } from '../base/random.ts';
import type { CatalogChange, CatalogEntry } from '../model/catalog.ts';
import { type KeyRange, rangeHolds, rangesBetween, wholeRange } from '../model/key-range.ts';
import { everything, type Scope } from '../model/namespace.ts';
import type { DataRecord, RecordStream } from '../model/record.ts';
import { assertAscending, gather, recordText } from './conformance-capture.ts';
import type { CutConformanceWorld } from './conformance-cut-world.ts';
import type { WorldWrite } from './conformance-world.ts';
import type { CutBefore, CutReport, LiveForm, SourceSession } from './connector.ts';

/** Cases that stop a replica and start it again are slow on real servers. */
interface CutConformanceOptions {
  readonly withoutStops?: boolean;
}

export function cutConformance(
  name: string,
  open: () => Promise<CutConformanceWorld>,
  { withoutStops = false }: CutConformanceOptions = {},
): void {
  const check = (sentence: string, work: (run: CutRun) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      await using world = await open();
      const signal = AbortSignal.timeout(600_000);
      await using session = await world.connector.connect(world.source, world.context, signal);
      await work(new CutRun(world, session, signal));
    });
  };
  check('a fold of all cuts is what the database held at each of them', foldsAsHeld);
  check('splitting a folded range anywhere gives the same records', splitsAnywhere);
  check('cuts merge to the same in any order and grouping', mergesInAnyOrder);
  check('a cut that was not committed is given again, by another session too', givesAgain);
  check('parts that another process is told of are what the cut itself reads', othersReadTheSame);
  check('a cut of a database at rest has nothing new, and a later time', restsQuietly);
  check('a deletion is kept over cuts: what it took away does not return', keepsDeletions);
  check('a table that was emptied begins anew', emptiedBegins);
  check('a table that was dropped leaves the catalog, and its name is free', droppedLeaves);
  check('what is loaded is read back as of the moment that the target names', targetsFreeze);
  if (withoutStops) return;
  check('a replica that is away lowers the grade, and what it missed changes nothing', awayLowers);
}

/** What a cut gave, held in memory. */
interface TakenCut {
  readonly report: CutReport;
  readonly before: CutBefore;
  /** By dataset. */
  readonly added: ReadonlyMap<string, { readonly begins: boolean; readonly records: DataRecord[] }>;
}

/** The engine's part in small: it keeps what cuts add, and folds it. */
class CutRun {
  readonly world: CutConformanceWorld;
  session: SourceSession;
  readonly signal: AbortSignal;
  readonly scope: Scope;
  readonly cuts: TakenCut[] = [];
  readonly #catalog: CatalogChange[] = [];

  constructor(world: CutConformanceWorld, session: SourceSession, signal: AbortSignal) {
    this.world = world;
    this.session = session;
    this.signal = signal;
    this.scope = { ...everything, include: [`${world.prefix}*`] };
  }

  name(table: string): string {
    return `${this.world.prefix}${table}`;
  }

  /** `commits`: false leaves the cut as a process does that dies before it is stored. */
  async cut({ commits = true } = {}): Promise<TakenCut> {
    const before = this.cuts.at(-1)?.before;
    assert.ok(this.session.cut, 'the session takes cuts');
    await using cut = await this.session.cut(before, this.scope, this.signal);
    assert.ok(before === undefined || cut.time > before.time, 'times of cuts ascend');
    assert.equal(cut.number, (before?.number ?? 0) + 1);
    assert.ok(cut.catalog.every(({ time }) => time === cut.time));
    const added = new Map<string, { begins: boolean; records: DataRecord[] }>();
    for (const { entry, begins, records } of cut.datasets) {
      const all = await gather(records(this.signal));
      assertAscending(all);
      added.set(entry.dataset, { begins, records: all });
    }
    const entries = this.world.connector.foldCatalog([...this.#catalog, ...cut.catalog]);
    const memory = new Map(cut.memory());
    const { time, number } = cut;
    const taken = { report: cut.report(), before: { time, number, memory, entries }, added };
    if (!commits) return taken;
    await cut.committed(this.signal);
    this.#catalog.push(...cut.catalog);
    this.cuts.push(taken);
    return taken;
  }

  entry(namespace: string, { before } = this.newest): CatalogEntry {
    const entry = before.entries.find((one) => one.namespace === namespace);
    assert.ok(entry, `${namespace} is in the catalog`);
    return entry;
  }

  get newest(): TakenCut {
    const cut = this.cuts.at(-1);
    assert.ok(cut);
    return cut;
  }

  /** What each cut up to one added to a dataset since its beginning, oldest first. */
  layers({ dataset }: CatalogEntry, upTo = this.cuts.length): DataRecord[][] {
    const added = this.cuts.slice(0, upTo).flatMap((cut) => cut.added.get(dataset) ?? []);
    const first = added.findLastIndex(({ begins }) => begins);
    return added.slice(first).map(({ records }) => records);
  }

  fold(
    entry: CatalogEntry,
    layers: readonly DataRecord[][],
    { range = wholeRange, live }: { range?: KeyRange; live?: LiveForm } = {},
  ): RecordStream {
    const { connector } = this.world;
    const from = range.from && connector.leadIn(range.from);
    const read = { ...range, ...(from && { from }) };
    const [base, ...cuts] = layers.map((records) =>
      stream(records.filter(({ key }) => rangeHolds(read, key))),
    );
    const { time } = this.newest.before;
    return connector.foldRange({
      range,
      base: base ?? stream([]),
      later: { entry, cuts, ...(live && { live }) },
      baseAfter: [],
      exactFrom: time,
      changes: stream([]) as never,
      clears: [],
      at: time,
    });
  }

  get live(): LiveForm {
    const nowMs = this.world.context.clock.now();
    return { nowMs, ttl: 'keep', rebaseMs: 0, cutMs: nowMs };
  }

  async foldedTexts(namespace: string, upTo = this.cuts.length): Promise<string[]> {
    const entry = this.entry(namespace, this.cuts[upTo - 1]);
    const records = this.fold(entry, this.layers(entry, upTo), { live: this.live });
    return this.world.textsOf(entry, await gather(records)).sort();
  }
}

const put = (record: number, seed: number): WorldWrite => ({ kind: 'put', record, seed });
const remove = (record: number): WorldWrite => ({ kind: 'delete', record, seed: 0 });

async function* stream(records: readonly DataRecord[]): RecordStream {
  for (let i = 0; i < records.length; i += 3) yield records.slice(i, i + 3);
}

/** Four cuts of a table that changes in between. Returns what the database held at each. */
async function busyCuts(run: CutRun, table: string): Promise<string[][]> {
  const { world } = run;
  const name = run.name(table);
  const random = new SeededRandom(5);
  const held: string[][] = [];
  await world.create(name);
  for (let cut = 0; cut < 4; cut++) {
    const writes = Array.from({ length: 25 }, () => {
      const record = random.below(40);
      return random.below(4) === 0 ? remove(record) : put(record, random.below(1000));
    });
    await world.write(name, writes);
    const from = random.below(30);
    await world.removeRange(name, from, from + 1 + random.below(6));
    await world.write(name, [put(from, 7), put(100 + cut, cut)]);
    await run.cut();
    held.push((await world.seen(name)).sort());
  }
  return held;
}

// ---- the cases ----

async function foldsAsHeld(run: CutRun): Promise<void> {
  const held = await busyCuts(run, 'held');
  for (const [i, expected] of held.entries()) {
    assert.ok(expected.length > 0);
    assert.deepEqual(await run.foldedTexts(run.name('held'), i + 1), expected, `cut ${i + 1}`);
  }
  const { grade, notes } = run.newest.report;
  assert.deepEqual([grade, notes], ['complete', []]);
}

async function splitsAnywhere(run: CutRun): Promise<void> {
  await busyCuts(run, 'split');
  const entry = run.entry(run.name('split'));
  const layers = run.layers(entry);
  const random = new SeededRandom(6);
  for (const live of [undefined, run.live]) {
    const form = live && { live };
    const whole = await gather(run.fold(entry, layers, { ...form }));
    const keys = layers.flat().map(({ key }) => key);
    for (let round = 0; round < 10; round++) {
      const bounds = keys.filter(() => random.below(8) === 0).sort(compareBytes);
      const pieces: DataRecord[] = [];
      for (const range of rangesBetween(bounds)) {
        if (range.from && range.to && compareBytes(range.from, range.to) === 0) continue;
        pieces.push(...(await gather(run.fold(entry, layers, { range, ...form }))));
      }
      assert.deepEqual(pieces.map(recordText), whole.map(recordText));
    }
  }
}

async function mergesInAnyOrder(run: CutRun): Promise<void> {
  await busyCuts(run, 'ordered');
  const entry = run.entry(run.name('ordered'));
  const layers = run.layers(entry);
  const text = async (some: readonly DataRecord[][]): Promise<string[]> =>
    (await gather(run.fold(entry, some))).map(recordText);
  const whole = await text(layers);
  assert.deepEqual(await text(layers.toReversed()), whole);
  const [a = [], b = [], ...rest] = layers;
  const pair = await gather(run.fold(entry, [a, b]));
  assert.deepEqual(await text([pair, ...rest]), whole, 'grouped');
  const last = await gather(run.fold(entry, rest));
  assert.deepEqual(await text([last, pair, a]), whole, 'grouped otherwise, one of them twice');
}

async function givesAgain(run: CutRun): Promise<void> {
  const { world, signal } = run;
  const name = run.name('again');
  await world.create(name);
  await world.write(name, [put(1, 1)]);
  await run.cut();
  await world.write(name, [put(2, 2), remove(1)]);
  const lost = await run.cut({ commits: false });
  await using other = await world.connector.connect(world.source, world.context, signal);
  run.session = other;
  const again = await run.cut();
  const { dataset } = run.entry(name);
  const texts = ({ added }: TakenCut): string[] =>
    (added.get(dataset)?.records ?? []).map(recordText);
  assert.ok(texts(lost).length > 0);
  assert.deepEqual(texts(again), texts(lost));
  assert.deepEqual(await run.foldedTexts(name), await world.seen(name));
}

async function othersReadTheSame(run: CutRun): Promise<void> {
  const { world, signal, session } = run;
  const name = run.name('told');
  await world.create(name);
  await world.write(
    name,
    Array.from({ length: 60 }, (_, i) => put(i, i)),
  );
  await world.write(name, [put(5, 7), remove(6)]);
  await using reader = world.connector.openPartReader?.(world.source, world.context);
  if (!reader || !session.cut) return;
  await using cut = await session.cut(undefined, run.scope, signal);
  const dataset = cut.datasets.find(({ entry }) => entry.namespace === name);
  assert.ok(dataset?.described, 'its parts can be described');
  const ranges = (await dataset.ranges?.(1000, signal, 3)) ?? [wholeRange];
  let count = 0;
  for (const range of ranges) {
    const told: unknown = JSON.parse(JSON.stringify(dataset.described(range)));
    const read: string[] = (await gather(reader.records(told, signal))).map(recordText);
    assert.deepEqual(read, (await gather(dataset.records(signal, range))).map(recordText));
    count += read.length;
  }
  assert.ok(count >= 60, `${count} records`);
}

async function restsQuietly(run: CutRun): Promise<void> {
  const name = run.name('rest');
  await run.world.create(name);
  await run.world.write(name, [put(1, 1)]);
  await run.cut();
  const { added, before } = await run.cut();
  assert.deepEqual([added.size, before.number], [0, 2]);
  assert.deepEqual(await run.foldedTexts(name), await run.world.seen(name));
}

async function keepsDeletions(run: CutRun): Promise<void> {
  const { world } = run;
  const name = run.name('gone');
  await world.create(name);
  await world.write(name, [put(1, 1), put(2, 2), put(3, 3), put(4, 4)]);
  await run.cut();
  await world.write(name, [remove(1)]);
  await world.removeRange(name, 3, 5);
  await run.cut();
  assert.equal((await run.foldedTexts(name, 1)).length, 4, 'the cut before stays as it was');
  assert.deepEqual(await run.foldedTexts(name), await world.seen(name));
  assert.equal((await run.foldedTexts(name)).length, 1);
}

async function emptiedBegins(run: CutRun): Promise<void> {
  const { world } = run;
  const name = run.name('emptied');
  await world.create(name);
  await world.write(name, [put(1, 1), put(2, 2)]);
  await run.cut();
  await world.write(name, [put(3, 3)]);
  await world.truncate(name);
  await world.write(name, [put(4, 4)]);
  const { added } = await run.cut();
  assert.equal(added.get(run.entry(name).dataset)?.begins, true);
  assert.deepEqual(await run.foldedTexts(name), await world.seen(name));
  await world.write(name, [put(5, 5)]);
  const later = await run.cut();
  assert.equal(later.added.get(run.entry(name).dataset)?.begins, false);
  assert.deepEqual(await run.foldedTexts(name), await world.seen(name));
}

async function droppedLeaves(run: CutRun): Promise<void> {
  const { world } = run;
  const name = run.name('dropped');
  await world.create(name);
  await world.write(name, [put(1, 1)]);
  const first = await run.cut();
  await world.drop(name);
  const second = await run.cut();
  assert.deepEqual(
    second.before.entries.filter(({ namespace }) => namespace === name),
    [],
  );
  await world.create(name);
  await world.write(name, [put(2, 2)]);
  const third = await run.cut();
  assert.notEqual(run.entry(name, third).dataset, run.entry(name, first).dataset);
  assert.deepEqual(await run.foldedTexts(name), await world.seen(name));
}

async function targetsFreeze(run: CutRun): Promise<void> {
  const { world, signal } = run;
  const held = (await busyCuts(run, 'loaded')).at(-1);
  const entry = run.entry(run.name('loaded'));
  const item = { entry, namespace: `${run.name('given')}` };
  const layers = run.layers(entry);
  await using target = await world.connector.openTarget(world.target, world.context, signal);
  const options = {
    ...{ operation: `op-${world.prefix}`, moment: 'then', defined: [], drop: false },
    renames: [{ from: entry.namespace, to: item.namespace }],
    scope: { include: [entry.namespace], exclude: [] },
    ttl: 'keep',
    usersAndRoles: false,
  } as const;
  assert.equal(await target.unfinished(options.operation, signal), undefined);
  const plan = await target.plan([item], options, signal);
  assert.deepEqual(plan.conflicts, []);
  await target.begin(signal);
  assert.equal((await target.unfinished(options.operation, signal))?.moment, 'then');
  await target.create(item, signal);
  await target.load(item, run.fold(entry, layers, { live: run.live }), signal);
  await target.index(item, signal);
  assert.ok(target.freeze, 'a target that keeps deletions says as of when it is read');
  const { nowMs } = await target.freeze(item, signal);
  const { expirySecondsMax } = target;
  const form = { ...run.live, nowMs, ...(expirySecondsMax && { expirySecondsMax }) };
  const expected = await gather(run.fold(entry, layers, { live: form }));
  const back = await gather(target.readBack(item, wholeRange, signal));
  assert.deepEqual(back.map(recordText), expected.map(recordText));
  assert.ok(target.watch && target.spotReads, 'replicas are asked one by one');
  const watched = await gather(target.watch(item, run.fold(entry, layers, { live: form })));
  assert.deepEqual(watched.map(recordText), expected.map(recordText));
  const { made, own } = await target.spotReads(item, signal);
  assert.ok(made > 0 && own <= made, `${own} of ${made} reads`);
  const { namespace } = item;
  const done = { namespace, root: 'a1', records: back.length, bytes: 0, proven: true };
  await target.done(item, { ...done, changedByTarget: [] }, signal);
  await target.finish([item], signal);
  assert.equal(await target.unfinished(options.operation, signal), undefined);
  assert.deepEqual((await world.seenInTarget(namespace)).sort(), held);
}

async function awayLowers(run: CutRun): Promise<void> {
  const { world } = run;
  const name = run.name('away');
  await world.create(name);
  await world.write(name, [put(1, 1), put(2, 2)]);
  await run.cut();
  const isDone = await world.withoutOne(async () => {
    await world.write(name, [put(2, 3), remove(1)]);
    const { grade, notes } = (await run.cut()).report;
    assert.notEqual(grade, 'complete');
    assert.ok(notes.length > 0, 'it is said why');
  });
  if (!isDone) return;
  const away = await run.foldedTexts(name);
  await world.write(name, [put(5, 5)]);
  assert.equal((await run.cut()).report.grade, 'complete');
  assert.deepEqual(await run.foldedTexts(name, 2), away, 'the cut before stays as it was');
  assert.deepEqual(await run.foldedTexts(name), await world.seen(name));
}
