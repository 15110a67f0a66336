import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodrError, isCodrError } from '../../base/error.ts';
import { MemoryConnector } from '../../connector/memory/memory-connector.ts';
import { definitionBytes, MemoryDatabases } from '../../connector/memory/memory-database.ts';
import type { CatalogChange } from '../../model/catalog.ts';
import { datasetId, streamId } from '../../model/id.ts';
import { everything } from '../../model/namespace.ts';
import { committed, type EpochPart, hex, historyState, want } from '../history/history-fixture.ts';
import { addHole } from '../history/ledger.ts';
import { baseKey, catalogKey, catalogRecord } from '../history/source-history.ts';
import { type PointContext, parseWhen, resolvePoint, unknownNamespace } from './point.ts';

const connector = new MemoryConnector(new MemoryDatabases());
const d = datasetId('d1');

/** One dataset `a.one`, copied at 20, in history from 10 to 50. */
function context(
  epochs: readonly EpochPart[] = [{ catalogFrom: 10, exactFrom: 20 }],
): PointContext & {
  readonly state: ReturnType<typeof historyState>;
} {
  const surveyed: CatalogChange = {
    time: 10n,
    stream: streamId('s'),
    position: { time: 10n, term: 0n },
    index: 0,
    dataset: d,
    kind: 'survey',
    body: definitionBytes({ namespace: 'a.one', role: 'data', indexes: [] }),
  };
  const state = committed(historyState(epochs, 50), (draft) => {
    draft.set(catalogKey(0, surveyed), catalogRecord(surveyed));
    draft.set(baseKey(d, 20n), { epoch: 0, exactFrom: hex(20), steps: [], packs: '' });
  });
  return { state, connector, scope: everything };
}

const refused = (error: unknown): boolean => isCodrError(error, 'time-not-restorable');

test('a moment is latest, a point, the own form of the source, or RFC 3339', () => {
  const { state, ...rest } = context();
  committed(state, (draft) => draft.set('point/p7', { time: hex(33) }));
  const at = (when: string): bigint => parseWhen({ state, ...rest }, when);
  assert.equal(at('latest'), 50n);
  assert.equal(at('p7'), 33n);
  assert.equal(at('5:7'), (5n << 32n) + 7n);
  const whole = '1970-01-01T00:00:05Z';
  assert.equal(at(whole), (5n << 32n) + 0xffff_ffffn, 'all of that second');
  for (const zero of ['.0', '.000']) assert.equal(at(`1970-01-01T00:00:05${zero}Z`), at(whole));
  // Within a second: nothing of it, since what came later in it cannot be told apart.
  for (const fraction of [
    '.5',
    '.001',
    '.0000001',
    '.00000000000000000001',
    '.99999999999999999999',
  ]) {
    const end = (4n << 32n) + 0xffff_ffffn;
    assert.equal(at(`1970-01-01T00:00:05${fraction}Z`), end, fraction);
    assert.equal(at(`1970-01-01T01:00:05${fraction}+01:00`), end, fraction);
  }
  assert.throws(
    () => at('yesterday'),
    (error) => isCodrError(error, 'usage'),
  );
});

test('what is no moment is told what a moment may be; a time without a zone, how to write it', () => {
  const refusal = (when: string): CodrError => {
    try {
      parseWhen(context(), when);
    } catch (error) {
      if (error instanceof CodrError) return error;
    }
    return assert.fail(`${when} was taken`);
  };
  assert.match(refusal('p133').message, /"p133" is no time, and no point of this source/);
  assert.match(refusal('p133').remedy, /^give latest, .* of the source \(0:50\), .*codr points/);
  for (const [when, fixed] of [
    ['2026-11-26T22:12:13', '2026-11-26T22:12:13Z'],
    ['2026-11-26 22:12:13.5', '2026-11-26T22:12:13.5Z'],
    ['2026-11-26T22:12', '2026-11-26T22:12:00Z'],
    ['2026-11-26', '2026-11-26T00:00:00Z'],
  ] as const) {
    assert.equal(refusal(when).message, `"${when}" says no time zone`);
    assert.ok(refusal(when).remedy.startsWith(`write ${fixed} if it is UTC, `), when);
    parseWhen(context(), fixed);
  }
  assert.match(refusal('2026-13-26').message, /is no time/);
});

test('a refused whole second is named as the wall clock shows it', () => {
  const at = parseWhen(context(), '2099-01-01T00:00:00Z');
  assert.throws(
    () => resolvePoint(context(), at),
    /^CodrError: 2099-01-01T00:00:00.000Z cannot be/,
  );
  assert.throws(() => resolvePoint(context(), at - 1n), /000Z \(4070908800:4294967294\) cannot be/);
});

test('the second of the newest moment is refused with how the newest moment is named', () => {
  const at = (when: string): void => void resolvePoint(context(), parseWhen(context(), when));
  assert.throws(
    () => at('1970-01-01T00:00:00Z'),
    (error) =>
      refused(error) && /a part is stored; name the newest moment by 0:50$/.test(String(error)),
  );
  assert.throws(
    () => at('1970-01-01T00:00:01Z'),
    (error) => refused(error) && /it is later than what is stored/.test(String(error)),
  );
});

test('latest is refused while nothing is restorable', () => {
  assert.throws(() => parseWhen({ ...context([]), state: historyState([], 5) }, 'latest'), refused);
});

test('what lies before the first copy, after what is stored, or nowhere is refused', () => {
  const world = context();
  assert.equal(resolvePoint(world, 20n).datasets.length, 1);
  for (const at of [5n, 19n, 51n])
    assert.throws(() => resolvePoint(world, at), refused, String(at));
});

test('a hole of the stream is refused also in an epoch that has closed', () => {
  const world = context([{ catalogFrom: 10, exactFrom: 20, closedAt: 40 }]);
  committed(world.state, (draft) =>
    addHole(draft, { stream: 's', from: hex(30), to: hex(45), reason: 'unknown log entry' }),
  );
  assert.equal(resolvePoint(world, 30n).datasets.length, 1);
  assert.throws(() => resolvePoint(world, 31n), /unknown log entry/);
});

test('a hole of one dataset is refused for it, and only until its next copy', () => {
  const world = context();
  committed(world.state, (draft) => {
    addHole(draft, { stream: 's', dataset: d, from: hex(30), to: hex(40), reason: 'a doubt' });
    draft.set(baseKey(d, 40n), { epoch: 0, exactFrom: hex(40), steps: [], packs: '' });
  });
  assert.throws(() => resolvePoint(world, 35n), /a doubt/);
  assert.equal(resolvePoint(world, 40n).datasets[0]?.base.exactFrom, hex(40));
});

test('what was stored stays restorable when another cluster was accepted and nothing of it is stored yet', () => {
  const world = context([{ catalogFrom: 10, exactFrom: 20, closedAt: 50 }]);
  committed(world.state, (draft) => {
    for (const stream of [...draft.keys('stream')]) draft.set(`stream/${stream}`, null);
    addHole(draft, { stream: 's', from: hex(50), reason: 'another one was accepted' });
  });
  assert.equal(parseWhen(world, 'latest'), 50n);
  for (const at of [20n, 50n]) assert.equal(resolvePoint(world, at).datasets.length, 1);
  assert.throws(() => resolvePoint(world, 1n << 40n), /later than what is stored/);
});

test('a dataset that waits for a new copy is refused from its doubt on', () => {
  const world = context();
  committed(world.state, (draft) =>
    draft.set('want/d1', want({ from: hex(30), reason: 'a doubt' })),
  );
  assert.equal(resolvePoint(world, 29n).datasets.length, 1);
  assert.throws(() => resolvePoint(world, 30n), /a doubt/);
});

test('an include that matches nothing is heard', () => {
  const scope = { include: ['a.one', 'nope.*'], exclude: [] };
  assert.throws(
    () => resolvePoint(context(), 20n, scope),
    (error) => isCodrError(error, 'namespace-unknown') && error.object === 'nope.*',
  );
});

test('a name that nothing has is refused with those that there are, of its database first', () => {
  const names = ['b.x', 'a.two', 'a.one', ...Array.from({ length: 9 }, (_, i) => `c.${i}`)];
  const { remedy } = unknownNamespace('a.noe', names);
  assert.equal(
    remedy,
    'there is a.one, a.two, b.x, c.0, c.1, c.2, c.3, c.4: see `codr ls` for the names at that time',
  );
  const scope = { include: ['a.onne'], exclude: [] };
  assert.throws(() => resolvePoint(context(), 20n, scope), { remedy: /^there is a\.one: / });
});

test('excludes that leave nothing are heard', () => {
  const exclude = (...patterns: string[]) => ({ include: [], exclude: patterns });
  assert.equal(resolvePoint(context(), 20n, exclude('b.*')).datasets.length, 1);
  const named = { include: ['a.one'], exclude: ['a.*'] };
  for (const scope of [exclude('*'), exclude('nope', 'a.*'), named]) {
    assert.throws(
      () => resolvePoint(context(), 20n, scope),
      (error) => isCodrError(error, 'namespace-unknown') && /leave nothing/.test(error.message),
    );
  }
});
