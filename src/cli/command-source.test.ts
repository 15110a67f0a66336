import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type {
  AddSourceRequest,
  LimitSourceRequest,
  RestoreRequest,
  VerifyRequest,
} from '../api/codr-api.ts';
import { CodrError } from '../base/error.ts';
import { type FakeApi, runFake } from './fake-world.ts';

const source = {
  ...{ name: 'ring', id: 'a', kind: 'cassandra', uri: 'cassandra://db1', identity: 'b' },
  ...{ version: '5.0.9', streams: ['cuts'], include: [], exclude: [], added: '' },
};

test('the file of source add --config is read here, and is that of the source, not of the program', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'codr-cli-source-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'ring.yaml');
  await writeFile(path, 'kind: cassandra\ncontactPoints: [db1]\npasswordFile: ring.password\n');
  const asked: AddSourceRequest[] = [];
  const add = (file: string) =>
    runFake(['source', 'add', 'ring', '--config', file], {
      api: {
        addSource: async (request) => {
          asked.push(request);
          return { source, findings: [] };
        },
      },
    });
  const run = await add(path);
  assert.equal(run.exitCode, 0, run.stderr);
  assert.deepEqual(JSON.parse(asked[0]?.config ?? ''), {
    ...{ kind: 'cassandra', contactPoints: ['db1'], passwordFile: join(folder, 'ring.password') },
  });
  assert.equal(run.config?.config, undefined);
  const missing = await add(join(folder, 'none.yaml'));
  assert.equal(missing.exitCode, 2);
  assert.match(missing.stderr, /none\.yaml cannot be read: .*\n.*ENOENT/);
  assert.equal(asked.length, 1);
});

test('restore and verify send the text of a file in place of a URI', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'codr-cli-target-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'other.yaml');
  await writeFile(path, 'kind: cassandra\ncontactPoints: [db2]\n');
  const sent: unknown[] = [];
  const stop = (text: string | undefined): never => {
    sent.push(JSON.parse(text ?? ''));
    throw new CodrError('usage', 'enough');
  };
  const api = {
    planRestore: async ({ to }: RestoreRequest) => stop(to),
    verify: async ({ against }: VerifyRequest) => stop(against),
  };
  await runFake(['restore', 'ring', '--to', path, '--dry-run'], { api });
  await runFake(['verify', 'ring', '--against', path], { api });
  const file = { kind: 'cassandra', contactPoints: ['db2'] };
  assert.deepEqual(sent, [file, file]);
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

test('a source is removed when its name is typed at a terminal; --yes, --json and scripts are not asked', async () => {
  const removed: string[] = [];
  const asked: string[] = [];
  const moment = (wall: string) => ({ time: '1:1', wall });
  const api: FakeApi = {
    points: async () => ({
      ...{ source: 'ring', holes: [], points: [] },
      intervals: [{ from: moment('2026-11-22T17:00:00Z'), to: moment('2026-11-22T18:00:00Z') }],
    }),
    removeSource: async (request) => {
      assert.deepEqual(request, { source: 'ring' });
      removed.push(request.source);
      return { source: 'ring', id: 'a', warnings: [] };
    },
  };
  const remove = (answer: string | undefined, ...more: string[]) => {
    const ask = async (question: string): Promise<string> => {
      asked.push(question);
      return String(answer);
    };
    return runFake(['source', 'remove', 'ring', ...more], {
      ...{ api, ...(answer !== undefined && { ask }) },
    });
  };
  for (const answer of ['', 'yes', 'ring2']) {
    const run = await remove(answer);
    assert.equal(run.exitCode, 2);
    assert.match(run.stderr, /^error: ring stays: its name was not typed: type the name/);
  }
  assert.deepEqual(removed, []);
  assert.equal(
    asked[0],
    'ring goes, with all that can be restored: 2026-11-22T17:00:00Z to 2026-11-22T18:00:00Z\n' +
      'type its name to go on: ',
  );
  for (const [answer, more] of [
    ['ring ', []],
    ['no', ['--yes']],
    ['no', ['--json']],
    [undefined, []],
  ] as const) {
    assert.equal((await remove(answer, ...more)).exitCode, 0);
  }
  assert.equal(removed.length, 4);
  assert.equal(asked.length, 4);
});

test('a source that is registered with errors says how they are mended', async () => {
  const add = async (level: 'error' | 'warning'): Promise<string> => {
    const findings = [{ level, message: 'it is odd' }];
    const api = { addSource: async () => ({ source, findings }) };
    return (await runFake(['source', 'add', 'ring', 'cassandra://db1'], { api })).stdout;
  };
  assert.match(
    await add('error'),
    /\nwhere .* codr source check ring; .* codr source remove ring /,
  );
  assert.doesNotMatch(await add('warning'), /codr source remove/);
});
