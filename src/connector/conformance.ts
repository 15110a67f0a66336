// What every connector with an ordered log must do, as tests. A `ConformanceWorld` makes the database move
// and says what it held; it uses the database's own means, so that nothing is checked against itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.ts';
import type { CatalogEntry } from '../model/catalog.ts';
import type { Change } from '../model/change.ts';
import type { StreamId } from '../model/id.ts';
import { rangeHolds, rangesBetween, wholeRange } from '../model/key-range.ts';
import { everything } from '../model/namespace.ts';
import type { DataRecord } from '../model/record.ts';
import { comparePositions, type SourceTime } from '../model/time.ts';
import {
  assertAscending,
  assertGap,
  assertStateAt,
  busyCapture,
  capture,
  changeTexts,
  dataEntries,
  entriesAt,
  entryNamed,
  fold,
  foldedValues,
  followPast,
  followUntil,
  gather,
  type Run,
  recordText,
  texts,
  writeSome,
} from './conformance-capture.ts';
import type { ConformanceWorld } from './conformance-world.ts';
import type { ChangeBatch } from './connector.ts';

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
  const short = await world.begin();
  await short.write('t.a', [{ kind: 'put', record: 902, seed: 1 }]);
  await short.commit();
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
  const asked = { operation: 'op1', moment: 'then', scope: everything, drop: false } as const;
  const options = {
    ...asked,
    renames: [],
    defined: [],
    ttl: 'keep',
    usersAndRoles: false,
  } as const;
  await target.plan(items, options, signal);
  assert.equal(await target.unfinished('op1', signal), undefined);
  await target.begin(signal);
  assert.equal((await target.unfinished('op1', signal))?.moment, 'then');
  assert.equal(await target.unfinished('op2', signal), undefined);
  for (const item of items) {
    await target.create(item, signal);
    const loaded = await target.load(item, fold(run, captured, item.entry, { at }), signal);
    await target.index(item, signal);
    const back = await gather(target.readBack(item, wholeRange, signal));
    const expected = await gather(fold(run, captured, item.entry, { at }));
    assert.equal(loaded.records, expected.length);
    assert.deepEqual(back.map(recordText), expected.map(recordText));
    const { namespace } = item;
    await target.done(item, { namespace, ...loaded, root: '', proven: true }, signal);
  }
  await target.finish(items, signal);
  assert.equal(await target.unfinished('op1', signal), undefined);
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
    moment: 'then',
    renames: [],
    defined: [],
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
