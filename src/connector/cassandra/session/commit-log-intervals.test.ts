import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  endsBy,
  joinIntervals,
  type LogInterval,
  liesWithin,
  readIntervals,
} from './commit-log-intervals.ts';

const point = fc.integer({ min: 0, max: 40 });
const interval = fc
  .tuple(point, point)
  .map(([a, b]): LogInterval => [0, Math.min(a, b), 0, Math.max(a, b)]);
const intervals = fc.array(interval, { maxLength: 12 });
const holds = (spans: readonly LogInterval[], at: number): boolean =>
  spans.some(([, from, , to]) => from <= at && at <= to);

test('joining keeps exactly the points that were covered, apart and in order', () => {
  fc.assert(
    fc.property(intervals, (spans) => {
      const joined = joinIntervals(spans);
      for (let at = 0; at <= 40; at++) assert.equal(holds(joined, at), holds(spans, at));
      joined.slice(1).forEach(([, from], i) => {
        assert.ok(from > (joined[i]?.[3] ?? Number.POSITIVE_INFINITY));
      });
    }),
  );
});

test('what was joined from spans holds each of them, and none of them is empty', () => {
  fc.assert(
    fc.property(intervals, interval, (spans, one) => {
      assert.equal(liesWithin([one], joinIntervals([...spans, one])), true);
      assert.equal(liesWithin([], joinIntervals(spans)), false);
    }),
  );
});

test('a gap between two captured spans is no cover', () => {
  const captured = joinIntervals([
    [1, 0, 1, 10],
    [1, 11, 2, 0],
  ]);
  assert.equal(captured.length, 2);
  assert.equal(liesWithin([[1, 5, 1, 20]], captured), false);
  assert.equal(liesWithin([[1, 12, 1, 9_000_000]], captured), true);
});

test('a file ends by a position when all of its spans do', () => {
  const spans: LogInterval[] = [
    [1, 0, 1, 10],
    [1, 20, 2, 5],
  ];
  assert.equal(endsBy(spans, { segment: 2, position: 5 }), true);
  assert.equal(endsBy(spans, { segment: 2, position: 4 }), false);
  assert.equal(endsBy([], { segment: 9, position: 0 }), false);
});

test('a Statistics.db that is cut short or of another shape proves nothing', () => {
  assert.equal(readIntervals('nb', new Uint8Array(0)), undefined);
  assert.equal(
    readIntervals('nb', Buffer.from('00000001ffffffff00000002000000100000000000000000', 'hex')),
    undefined,
  );
});
