import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordResult } from '../api/codr-api.ts';
import { runFake } from './fake-world.ts';

const at = { time: 'cut:3', wall: '2025-11-22T13:05:00.000Z' };
const found: RecordResult = { source: 'ring', namespace: 'ks.t', key: 'k = 1', at };

test('get says when a key names more rows than are shown, in the history too', async () => {
  const value = '[\n{"k": 1}\n]';
  const words = ['get', 'ring', 'ks.t', 'k = 1'];
  const shown = await runFake(words, {
    api: { getRecord: async () => ({ ...found, value, more: true }) },
  });
  assert.match(shown.stdout, /^\[\n\{"k": 1\}\n\]\nand more: only the first/);
  const whole = await runFake(words, { api: { getRecord: async () => ({ ...found, value }) } });
  assert.equal(whole.stdout, `${value}\n`);
  const history = [{ ...at, change: 'base' as const, value, more: true as const }];
  const past = await runFake([...words, '--history'], {
    api: { getRecord: async () => ({ ...found, value, history }) },
  });
  assert.match(past.stdout, /\(cut:3\) {2}base\n\[\n.*\n\]\nand more/);
});

test('get passes the key on as it was written, and says when nothing was there', async () => {
  const asked: unknown[] = [];
  const run = await runFake(['get', 'ring', 'ks.t', '{"k": 1}', '--at', 'cut:3'], {
    api: {
      getRecord: async (request) => {
        asked.push(request);
        return found;
      },
    },
  });
  assert.deepEqual(asked, [
    { source: 'ring', namespace: 'ks.t', key: '{"k": 1}', at: 'cut:3', history: false },
  ]);
  assert.equal(run.stdout, 'no such record at 2025-11-22T13:05:00.000Z\n');
});
