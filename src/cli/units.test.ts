import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatBytes,
  formatCount,
  formatCounts,
  formatSeconds,
  parsePercent,
  parseSeconds,
} from './units.ts';

test('bytes have binary units and three digits', () => {
  const texts = [0, 1023, 1024, 1536, 10 << 20, 123 << 20, 2 ** 50 * 5000].map(formatBytes);
  assert.deepEqual(texts, [
    '0 B',
    '1023 B',
    '1.00 KiB',
    '1.50 KiB',
    '10.0 MiB',
    '123 MiB',
    '5000 PiB',
  ]);
});

test('durations show their two largest units', () => {
  const texts = [0.42, 2.04, 12, 184, 7500, 7200, 3 * 86_400 + 7 * 3600 + 59].map(formatSeconds);
  assert.deepEqual(texts, ['0.42 s', '2.0 s', '12 s', '3 min 4 s', '2 h 5 min', '2 h', '3 d 7 h']);
});

test('counts have their thousands apart', () => {
  assert.equal(formatCount(1_234_567), '1,234,567');
});

test('an estimate is marked, and one of nothing says nothing', () => {
  assert.deepEqual(formatCounts({ records: 1000, bytes: 16 }), ['1,000', '16 B']);
  assert.deepEqual(formatCounts({ records: 0, bytes: 0 }), ['0', '0 B']);
  const estimated = true;
  assert.deepEqual(formatCounts({ records: 1000, bytes: 16, estimated }), ['~1,000', '~16 B']);
  assert.deepEqual(formatCounts({ records: 0, bytes: 0, estimated }), ['?', '?']);
});

test('durations are read with a unit, or as seconds; anything else is refused', () => {
  assert.deepEqual(
    ['5s', '15m', '2h', '1d', '7', '500ms', '1.5min'].map(parseSeconds),
    [5, 900, 7200, 86_400, 7, 0.5, 90],
  );
  assert.deepEqual(
    ['', 's', '-5s', '5 weeks', '1e3'].map(parseSeconds),
    new Array(5).fill(undefined),
  );
});

test('percentages lie between 0 and 100', () => {
  assert.deepEqual(['10%', '2.5', '0', '100%'].map(parsePercent), [10, 2.5, 0, 100]);
  assert.deepEqual(['101%', '-1', 'all', ''].map(parsePercent), new Array(4).fill(undefined));
});
