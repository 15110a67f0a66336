import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  endsBy,
  joinIntervals,
  type LogInterval,
  liesWithin,
  readProof,
} from './commit-log-intervals.ts';

const hostId = 'c79ac048-3199-4a95-b534-6b34b48d4009';
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

test('what was joined from spans holds each of them that is not empty, and no spans are not held', () => {
  fc.assert(
    fc.property(intervals, interval, (spans, one) => {
      const isEmpty = one[1] === one[3];
      assert.equal(liesWithin([one], joinIntervals([...spans, one])), !isEmpty);
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
  assert.equal(readProof('nb', new Uint8Array(0), hostId), undefined);
  assert.equal(
    readProof('nb', Buffer.from('00000001ffffffff00000002000000100000000000000000', 'hex'), hostId),
    undefined,
  );
});

test('spans are read past the clustering bounds of a BTI file, as 5.0.9 wrote them', () => {
  // STATS of a table with two text clustering columns; its two histograms are emptied.
  const hex = [
    '00000001000000000000000200000014000000000000000000000000000001a21ade39810000b11400059b08',
    'c1fa400200066138f4393a716b08ed1fffffffff00000000000000003fd4a20e81db8e110000000100000001',
    '000000006b08ed440000000200000000000000000000000002286f72672e6170616368652e63617373616e64',
    '72612e64622e6d61727368616c2e5554463854797065286f72672e6170616368652e63617373616e6472612e',
    '64622e6d61727368616c2e55544638547970650100020009496e646578496e666f0a696e6465785f6e616d65',
    '060002000576696577730c77686572655f636c617573650000000000000005190000000000000105000001a2',
    '1ade39810000001c00000001000001a21ade39810000001c000001a21ade39810000b114000001c79ac04831',
    '994a95b5346b34b48d4009010d73797374656d5f736368656d610d73797374656d5f7472616365737ff80000',
    '000000000000000052ad8431',
  ].join('');
  const proof = readProof('da', Buffer.from(hex, 'hex'), hostId);
  assert.deepEqual(proof?.intervals, [[1795747101057, 28, 1795747101057, 45332]]);
  assert.equal(proof?.floorSeconds, 0x6b08ed1f);
  const foreign = readProof('da', Buffer.from(hex, 'hex'), hostId.replace('c', 'd'));
  assert.deepEqual(foreign?.intervals, [], 'spans of the commit log of another host');
  assert.equal(foreign?.floorSeconds, 0x6b08ed1f);
  const damaged = Buffer.from(hex, 'hex');
  damaged[60] = 1;
  assert.equal(readProof('da', damaged, hostId), undefined);
});
