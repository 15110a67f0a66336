import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import type { AddSourceRequest, LimitSourceRequest } from '../api/codr-api.ts';
import { runFake } from './fake-world.ts';

const source = {
  ...{ name: 'ring', id: 'a', kind: 'cassandra', uri: 'cassandra://db1', identity: 'b' },
  ...{ version: '5.0.9', streams: ['cuts'], include: [], exclude: [], added: '' },
};

test('the file of source add --config is that of the source, not of the program', async () => {
  const asked: AddSourceRequest[] = [];
  const run = await runFake(['source', 'add', 'ring', '--config', 'ring.yaml'], {
    api: {
      addSource: async (request) => {
        asked.push(request);
        return { source, findings: [] };
      },
    },
  });
  assert.equal(run.exitCode, 0, run.stderr);
  assert.equal(asked[0]?.config, resolve('ring.yaml'));
  assert.equal(run.config?.config, undefined);
});

test('limits are given in MiB a second, and what is not given is not asked for', async () => {
  const asked: LimitSourceRequest[] = [];
  const api = {
    limitSource: async (request: LimitSourceRequest) => {
      asked.push(request);
      return { ...source, readers: 3, bytesPerSecond: 1024 * 1024 };
    },
  };
  const run = await runFake(['source', 'limit', 'ring', '--mib-per-second', '1.5'], { api });
  assert.equal(run.exitCode, 0, run.stderr);
  assert.deepEqual(asked, [{ source: 'ring', readers: undefined, bytesPerSecond: 1572864 }]);
  assert.match(run.stdout, /limit +3 readers at a time\n *limit +1\.00 MiB\/s/);
  const without = await runFake(['source', 'limit', 'ring'], { api });
  assert.equal(without.exitCode, 2);
  assert.match(without.stderr, /give --readers, --mib-per-second or both/);
  assert.equal(
    (await runFake(['source', 'limit', 'ring', '--readers', '-1'], { api })).exitCode,
    2,
  );
  assert.equal(asked.length, 1);
});
