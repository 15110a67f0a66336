import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeLog } from './check-source.ts';

const gib = 2 ** 30;
const log = { spanHours: 48, bytes: 5 * gib, bytesMax: 5 * gib, keptHours: 0 };

test('a full log that spans two days is fine, one that spans two hours is not', () => {
  assert.equal(judgeLog(log).level, 'fine');
  const { level, message, remedy } = judgeLog({ ...log, spanHours: 2 });
  assert.equal(level, 'warning');
  assert.match(message, /spans 2\.0 h, 100 % of its maximum of 5120 MiB; .* less than 24 h/);
  assert.match(remedy ?? '', /replSetResizeOplog: 1, minRetentionHours: Double\(24\)/);
});

test('a log that fills fast is warned of before it is full, a young one is not judged', () => {
  const half = { ...log, bytes: gib, spanHours: 1 };
  assert.match(judgeLog(half).message, /reaches back 5\.0 h/);
  assert.equal(judgeLog({ ...half, spanHours: 10 }).level, 'fine');
  assert.equal(judgeLog({ ...half, bytes: gib / 4 }).level, 'fine');
});

test('a log that may hold next to nothing is warned of however empty it is', () => {
  const { level, message, remedy } = judgeLog({
    ...log,
    spanHours: 0,
    bytes: 0,
    bytesMax: 1 << 20,
  });
  assert.equal(level, 'warning');
  assert.match(message, /spans 0 min, 0 % of its maximum of 1 MiB; that is less than 990 MiB/);
  assert.match(remedy ?? '', /size: Double\(990\)/);
});

test('hours that the server keeps by order count', () => {
  const small = { spanHours: 1, bytes: 1 << 20, bytesMax: 1 << 20 };
  assert.equal(judgeLog({ ...small, keptHours: 24 }).level, 'fine');
  assert.equal(judgeLog({ ...small, keptHours: 12 }).level, 'warning');
});
