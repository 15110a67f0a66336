import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import type { AddSourceRequest } from '../api/codr-api.ts';
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
