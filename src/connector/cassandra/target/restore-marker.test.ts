// What one run notes in the marker, the next one reads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CqlSession, QueryOptions } from '../session/cql.ts';
import { RestoreMarker } from './restore-marker.ts';
import type { SchemaRunner } from './schema-runner.ts';

const { signal } = new AbortController();

test('ids of tables, cut expiries and finished tables are known to the next run, each for its own name', async () => {
  const steps = new Map<string, string>();
  const cql = {
    run: async (_: string, { params }: QueryOptions) => {
      steps.set(String(params?.[0]), String(params?.[1]));
    },
    rows: async () => [...steps].map(([step, body]) => ({ step, body })),
  } as unknown as CqlSession;
  const schema = { hasTable: async () => true } as unknown as SchemaRunner;
  const read = () => RestoreMarker.read(cql, schema, 'op', signal);
  const first = await read();
  assert.deepEqual([first.capped('a.t'), first.wasMaking('a.t')], [0, undefined]);
  const item = { namespace: 'a.t', root: 'ab', records: 1, bytes: 9, proven: true };
  const place = { tableId: 'one', placement: 'here' };
  await first.noteMaking('a.t', { tableIds: ['one'] }, signal);
  await first.noteCapped('a.t', 7, signal);
  await first.noteFinished(place, { ...item, changedByTarget: [] }, signal);

  const next = await read();
  assert.deepEqual(next.wasMaking('a.t'), { tableIds: ['one'] });
  assert.deepEqual([next.capped('a.t'), next.capped('a.u')], [7, 0]);
  assert.deepEqual(next.finished('a.t', place), { ...item, changedByTarget: [] });
  assert.equal(next.finished('a.t', { ...place, tableId: 'two' }), undefined);
  assert.equal(next.finished('a.t', { ...place, placement: 'there' }), undefined);
});

test('what was disproven is forgotten, and no other note of the restore; views are known by the table', async () => {
  const steps = new Map<string, string>();
  const cql = {
    run: async (query: string, { params = [] }: QueryOptions) => {
      const [step, body] = params.map(String);
      if (query.startsWith('DELETE')) steps.delete(step ?? '');
      else steps.set(step ?? '', body ?? '');
    },
    rows: async () => [...steps].map(([step, body]) => ({ step, body })),
  } as unknown as CqlSession;
  const schema = { hasTable: async () => true } as unknown as SchemaRunner;
  const read = () => RestoreMarker.read(cql, schema, 'op', signal);
  const place = { tableId: 'one', placement: 'here' };
  const row = { records: 1, bytes: 9, keepLevels: false, nodes: {} };
  const marker = await read();
  await marker.noteMaking('a.t', { tableIds: ['one'] }, signal);
  for (const name of ['a.t', 'a.u']) await marker.noteLoaded(name, place, row, signal);
  await marker.noteViews('one', signal);
  const before = await read();
  assert.deepEqual([before.wasMakingViews('one'), before.wasMakingViews('two')], [true, false]);
  assert.ok(before.loaded('a.t', place));
  await before.forget('a.t', signal);
  const after = await read();
  assert.equal(after.loaded('a.t', place), undefined);
  assert.ok(after.loaded('a.u', place) && after.wasMaking('a.t'));

  // A table that is emptied keeps its id, so nothing of what was in it may be taken for what will be.
  for (const id of ['one', 'two']) await after.noteTaken(id, 'h', 3, signal);
  const filled = await read();
  assert.equal(filled.taken('one', 'h'), 3);
  await filled.forgetFilled('a.u', 'one', signal);
  const last = await read();
  assert.deepEqual([last.loaded('a.u', place), last.taken('one', 'h')], [undefined, 0]);
  assert.deepEqual([last.wasMakingViews('one'), filled.wasMakingViews('one')], [false, false]);
  assert.equal(last.taken('two', 'h'), 3);
});

/** A session on a table of steps, and one that makes and drops it. */
function markerTable() {
  const steps = new Map<string, string>();
  const cql = {
    run: async (_: string, { params = [] }: QueryOptions) => {
      steps.set(String(params[0]), String(params[1]));
    },
    rows: async (query: string, { params = [] }: QueryOptions) => {
      if (query.startsWith('SELECT step'))
        return [...steps].map(([step, body]) => ({ step, body }));
      const [step, body] = params.map(String);
      if (query.startsWith('SELECT body')) return [{ body: steps.get(step as string) }];
      assert.match(query, /^INSERT .* IF NOT EXISTS$/);
      const isNew = !steps.has(step as string);
      if (isNew) steps.set(step as string, body as string);
      return [{ '[applied]': isNew }];
    },
  } as unknown as CqlSession;
  const schema = {
    hasTable: async () => true,
    rows: async () => [],
    run: async (statement: string) => {
      if (statement.startsWith('DROP')) steps.clear();
    },
    agreed: async () => {},
  };
  const read = () => RestoreMarker.read(cql, schema as unknown as SchemaRunner, 'op', signal);
  return { steps, read };
}

test('when the first run began is what every later run is told, and goes by', async () => {
  const { read } = markerTable();
  await (await read()).begin({ moment: 'then', begunMs: 5_000 }, 1, signal);
  const later = await read();
  assert.deepEqual([later.unfinished()?.moment, later.unfinished()?.begunMs], ['then', 5_000]);
  await later.begin({ moment: 'then', begunMs: 5_000 }, 1, signal);
  await assert.rejects(later.begin({ moment: 'then', begunMs: 6_000 }, 1, signal), {
    code: 'busy',
  });
});

test('a run whose plan knew a restore that another run has ended since is refused, and leaves no marker', async () => {
  const { steps, read } = markerTable();
  const moment = { moment: 'then' };
  const first = await read();
  await first.begin(moment, 1, signal);
  await first.noteMaking('a.t', { tableIds: ['one'] }, signal);
  const [next, late] = [await read(), await read()];
  await next.begin(moment, 1, signal);
  await next.remove(signal);
  const ended = { code: 'busy', message: /has ended this restore/ };
  await assert.rejects(late.begin(moment, 1, signal), ended);
  assert.equal(steps.size, 0);
});
