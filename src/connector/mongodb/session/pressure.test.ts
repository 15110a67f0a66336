import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Document } from 'mongodb';
import { SourcePressure } from './pressure.ts';

const cache = (used: number, dirty: number): Document => ({
  'maximum bytes configured': 1000,
  'bytes currently in the cache': used,
  'tracked dirty bytes in the cache': dirty,
});

test('queues, held back writers and a full cache are pressure, each by its name', () => {
  const of = (status: Document): string | undefined => new SourcePressure().judge(status);
  assert.equal(of({}), undefined);
  assert.equal(of({ globalLock: { currentQueue: { total: 7 } } }), undefined);
  assert.match(of({ globalLock: { currentQueue: { total: 8 } } }) ?? '', /^8 operations wait/);
  assert.equal(of({ flowControl: { isLagged: false } }), undefined);
  assert.match(of({ flowControl: { isLagged: true } }) ?? '', /holds its writers back/);
  assert.equal(of({ wiredTiger: { cache: cache(800, 150) } }), undefined);
  assert.match(of({ wiredTiger: { cache: cache(800, 210) } }) ?? '', /^21 % of its cache is to be/);
  assert.match(of({ wiredTiger: { cache: cache(960, 10) } }) ?? '', /^96 % of its cache is in use/);
});

test('writes that take four times as long as at best are pressure, for a while', () => {
  const pressure = new SourcePressure();
  let [ops, latency] = [0, 0];
  const look = (writes: number, ms: number): string | undefined => {
    ops += writes;
    latency += writes * ms * 1000;
    return pressure.judge({ opLatencies: { writes: { ops, latency } } });
  };
  look(0, 0);
  assert.equal(look(100, 5), undefined);
  assert.equal(look(100, 19), undefined);
  assert.match(look(100, 24) ?? '', /^its writes take 24 ms, 5\.\d ms at best/);
  // A few writes say nothing.
  assert.equal(look(5, 500), undefined);
  let looks = 0;
  while (look(100, 24) !== undefined) looks++;
  assert.ok(looks > 2 && looks < 60, `${looks} looks`);
});

test('writes that are fast are no pressure, though they were faster', () => {
  const pressure = new SourcePressure();
  pressure.judge({ opLatencies: { writes: { ops: 0, latency: 0 } } });
  pressure.judge({ opLatencies: { writes: { ops: 100, latency: 10_000 } } });
  assert.equal(
    pressure.judge({ opLatencies: { writes: { ops: 200, latency: 610_000 } } }),
    undefined,
  );
});
