import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupResult } from '../api/codr-api.ts';
import { runFake } from './fake-world.ts';

const moment = { time: '1763816700:42', wall: '2025-11-22T13:05:00.000Z' };
const backedUp: BackupResult = {
  source: 'shop',
  point: { id: 'p7', ...moment },
  interval: { from: moment, to: moment },
  ...{ datasets: 0, records: 0, changes: 0, bytesRead: 0, bytesStored: 0, bytesDeduplicated: 0 },
  ...{ holes: [], warnings: [], seconds: 1 },
};

test('backup tells its warnings', async () => {
  const run = await runFake(['backup', 'shop'], {
    api: { backup: async () => ({ ...backedUp, warnings: ['nothing is in scope'] }) },
  });
  assert.match(run.stdout, /warning: nothing is in scope/);
});
