import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckpointResult } from '../api/codr-api.ts';
import { CodrError } from '../base/error.ts';
import { runFake } from './fake-world.ts';

const done: CheckpointResult = {
  source: 'ring',
  at: { time: 'cut:3', wall: '2025-11-22T13:05:00.000Z' },
  datasets: [
    { namespace: 'ks.orders', records: 9, bytes: 2048, recordsBefore: 14 },
    { namespace: 'ks.users', records: 1234, bytes: 4096 },
  ],
  unchanged: 2,
  bytesStored: 1024,
  bytesDeduplicated: 5120,
  seconds: 1.5,
};

test('checkpoint shows what each new base copy holds beside what was read in its place', async () => {
  const asked: unknown[] = [];
  const run = await runFake(['checkpoint', 'ring'], {
    api: {
      checkpoint: async (request) => {
        asked.push(request);
        return done;
      },
    },
  });
  assert.deepEqual([run.exitCode, asked], [0, [{ source: 'ring', to: 'latest' }]]);
  assert.match(run.stdout, /^folded ring at 2025-11-22T13:05:00\.000Z \(cut:3\)\n/);
  assert.match(run.stdout, /ks\.orders +9 +14 +2\.00 KiB\n/);
  assert.match(run.stdout, /ks\.users +1,234 +4\.00 KiB\n/);
  assert.match(run.stdout, /2 had not changed\nstored 1\.00 KiB, 5\.00 KiB were there already/);
});

test('checkpoint takes another moment, and says when there is nothing to fold', async () => {
  const asked: unknown[] = [];
  const run = await runFake(['checkpoint', 'ring', '--to', 'cut:2'], {
    api: {
      checkpoint: async (request) => {
        asked.push(request);
        return { ...done, datasets: [] };
      },
    },
  });
  assert.deepEqual(asked, [{ source: 'ring', to: 'cut:2' }]);
  assert.match(run.stdout, /^nothing to fold: ring has base copies of all that it holds/);
});

test('checkpoint --json is the result, and a busy source ends with 10', async () => {
  const run = await runFake(['checkpoint', 'ring', '--json'], {
    api: { checkpoint: async () => done },
  });
  assert.deepEqual(JSON.parse(run.stdout), done);
  const busy = await runFake(['checkpoint', 'ring'], {
    api: { checkpoint: () => Promise.reject(new CodrError('busy', 'n1 writes ring')) },
  });
  assert.deepEqual([busy.exitCode, busy.stdout], [10, '']);
  assert.match(busy.stderr, /n1 writes ring/);
});
