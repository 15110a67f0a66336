import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OperationDescription } from '../api/codr-api.ts';
import { CodrError } from '../base/error.ts';
import { runFake } from './fake-world.ts';

const operation = (parts: Partial<OperationDescription>): OperationDescription => ({
  id: '7f3a91c2d4e5f607',
  kind: 'backup',
  source: 'shop',
  state: 'running',
  by: 'ann',
  created: '2026-11-22T13:05:00.000Z',
  cancelling: false,
  ...parts,
});

test('operations are listed, each with how far it came or what it failed with', async () => {
  const progress = { phase: 'base copy', records: 7, bytes: 2048, seconds: 1 };
  const operations = [
    operation({ progress }),
    operation({ id: 'b', kind: 'check', state: 'failed', failure: 'the store is full' }),
    operation({ id: 'c', cancelling: true }),
  ];
  const { stdout, exitCode } = await runFake(['ops'], {
    api: { listOperations: async () => ({ operations }) },
  });
  assert.equal(exitCode, 0);
  const [head, first, second, third] = stdout.split('\n');
  assert.match(head ?? '', /^OPERATION +KIND +SOURCE +STATE +BY +SINCE/);
  assert.match(first ?? '', /^7f3a91c2d4e5f607 +backup +shop +running +ann +2026.*base copy/);
  assert.match(second ?? '', /^b +check .*failed.*the store is full$/);
  assert.match(third ?? '', /^c .*ending/);
});

test('with --running only what runs is asked for, and JSON is what was answered', async () => {
  const asked: object[] = [];
  const { stdout } = await runFake(['ops', '--running', '--json'], {
    api: {
      listOperations: async (request) => {
        asked.push(request);
        return { operations: [operation({})] };
      },
    },
  });
  assert.deepEqual(asked, [{ running: true }]);
  assert.deepEqual(JSON.parse(stdout), { operations: [operation({})] });
});

test('none is said to be none', async () => {
  const { stdout } = await runFake(['ops'], {
    api: { listOperations: async () => ({ operations: [] }) },
  });
  assert.equal(stdout, 'no operations\n');
});

test('cancel asks, and says what it found', async () => {
  for (const [state, text] of [
    ['running', 'asked backup 7f3a91c2d4e5f607 to end\n'],
    ['done', 'backup 7f3a91c2d4e5f607 has ended already: done\n'],
  ] as const) {
    const { stdout, exitCode } = await runFake(['cancel', '7f3a91c2d4e5f607'], {
      api: { cancelOperation: async ({ id }) => operation({ id, state }) },
    });
    assert.equal(exitCode, 0);
    assert.equal(stdout, text);
  }
});

test('an operation that nobody knows is wrong usage', async () => {
  const { exitCode, stderr } = await runFake(['cancel', 'x'], {
    api: {
      cancelOperation: async ({ id }) => {
        throw new CodrError('operation-unknown', `no operation has the id ${id}`, { object: id });
      },
    },
  });
  assert.equal(exitCode, 2);
  assert.match(stderr, /^error: no operation has the id x: see `codr ops`/);
});
