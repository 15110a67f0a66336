// Every method of the API over the wire: what is asked arrives as it was asked, what is answered likewise.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type ApiMethod,
  apiMethods,
  callApi,
  type OperationRule,
  type UnaryRule,
} from '../../src/api/api-methods.ts';
import type { OperationDescription, Progress } from '../../src/api/codr-api.ts';
import { type Asked, fakeApi } from '../../src/api/fake-api.fixture.ts';
import { plainMessage } from '../../src/api/grpc/plain-message.fixture.ts';
import { methodNamed } from '../../src/api/grpc/protos.ts';
import { serve } from '../../src/api/grpc/serve.ts';
import { LocalOperations } from '../../src/api/local-operations.ts';
import { isCodrError } from '../../src/base/error.ts';
import { calm, clientOf, heardCall, localOptions, openServe } from './world.ts';

/** The messages of a kind of work; those of other methods stand in the protos. */
const operationMessages: Readonly<Record<string, readonly [request: string, result: string]>> = {
  backup: ['BackupRequest', 'BackupResult'],
  restore: ['RestoreRequest', 'RestoreResult'],
  verify: ['VerifyRequest', 'VerifyResult'],
  checkpoint: ['CheckpointRequest', 'CheckpointResult'],
  collect: ['CollectRequest', 'CollectResult'],
  check: ['CheckRequest', 'CheckResult'],
  'source-add': ['AddSourceRequest', 'SourceCheck'],
  'source-check': ['SourceRequest', 'SourceCheck'],
  'source-rebase': ['SourceRequest', 'SourceRebased'],
  'source-remove': ['SourceRequest', 'SourceRemoved'],
};

const wireMethods = Object.entries(apiMethods) as [ApiMethod, UnaryRule | OperationRule][];

function messagesOf(rule: UnaryRule | OperationRule): readonly [string, string] {
  if (rule.form === 'operation') {
    const [request, result] = operationMessages[rule.kind] ?? assert.fail(rule.kind);
    return [`codr.v1.${request}`, `codr.v1.${result}`];
  }
  const { requestName, resultName } = methodNamed(rule.rpc);
  return [requestName, resultName];
}

test('each method of the API is served, and requests and results arrive whole', async (t) => {
  let answer: object = {};
  const api = fakeApi(async () => answer);
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  await using remote = clientOf(served);
  try {
    for (const [method, rule] of wireMethods) {
      if (rule.form === 'unary' && rule.rpc.startsWith('Operations/')) continue;
      const [request, result] = messagesOf(rule);
      await t.test(method, async () => {
        const run = async (asked: object, answered: object): Promise<void> => {
          answer = answered;
          const got = await callApi(remote, method, asked, calm);
          const expected = method === 'status' ? { ...answered, operations: [] } : answered;
          assert.deepEqual(got, expected);
          const last = api.asked.at(-1);
          assert.equal(last?.method, method);
          const isBare = method === 'listSources' || method === 'listKeys';
          assert.deepEqual(
            last?.request,
            isBare ? undefined : withoutDefaults(method, asked, last),
          );
        };
        const property = fc.asyncProperty(plainMessage(request), plainMessage(result), run);
        await fc.assert(property, { numRuns: 5 });
      });
    }
  } finally {
    await served.close();
  }
});

/** What a request leaves out and the API requires is added at the peer. */
function withoutDefaults(method: ApiMethod, asked: object, { request }: Asked): object {
  const added = Object.entries(request ?? {}).filter(([name]) => !(name in asked));
  for (const [name] of added) {
    assert.ok(['at', 'to', 'ttl', 'verify', 'encryption'].includes(name), `${method}.${name}`);
  }
  return { ...Object.fromEntries(added), ...asked };
}

test('operations are listed and cancelled over the wire', async () => {
  const api = fakeApi(
    ({ call }) =>
      new Promise((resolve) => {
        call.signal.addEventListener('abort', () => resolve({ packs: 1 }), { once: true });
      }),
  );
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  await using remote = clientOf(served);
  const made = await operations.create('check', { readDataPercent: 0, repair: false }, 'k', 'ann');
  const { operations: listed } = await remote.listOperations({ running: true }, calm);
  assert.deepEqual(listed.map(shortly), [[made.id, 'check', 'running', 'ann', false]]);
  const cancelled = await remote.cancelOperation({ id: made.id }, calm);
  assert.deepEqual(shortly(cancelled), [made.id, 'check', 'running', 'ann', true]);
  await Array.fromAsync(operations.watch(made.id, 0, calm.signal));
  assert.deepEqual((await remote.listOperations({ running: true }, calm)).operations, []);
  const { operations: all } = await remote.listOperations({ running: false }, calm);
  assert.deepEqual(all.map(shortly), [[made.id, 'check', 'done', 'ann', false]]);
  await assert.rejects(remote.cancelOperation({ id: 'none' }, calm), (error) =>
    isCodrError(error, 'operation-unknown'),
  );
  await served.close();
});

const shortly = ({ id, kind, state, by, cancelling }: OperationDescription) => [
  id,
  kind,
  state,
  by,
  cancelling,
];

test('progress of long work is heard in order, and running work is part of the status', async () => {
  const report = (records: number): Progress => ({ phase: 'p', records, bytes: 0, seconds: 1 });
  const status = { repository: {}, peers: [], sources: [], operations: [] };
  const seen: object[] = [];
  const whole = { url: 'u', id: 'i', encrypted: true, packs: 1, packBytes: 2 };
  const api = fakeApi(async ({ method, call }) => {
    if (method === 'status') return { ...status, repository: whole };
    for (let i = 1; i <= 50; i++) call.progress?.(report(i));
    seen.push(...(await remote.status({}, calm)).operations);
    return { dryRun: true, packsExamined: 0, packsRemoved: 0, bytesFreed: 0, seconds: 0 };
  });
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  await using remote = clientOf(served);
  const { call, told } = heardCall();
  await remote.collect({ dryRun: true }, call);
  assert.deepEqual(
    told.map(({ records }) => records),
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
  const [{ id = '', ...line } = {}] = seen as { id?: string }[];
  assert.match(id, /^[0-9a-f]{16}$/);
  assert.deepEqual(line, { kind: 'collect', state: 'running', progress: report(50) });
  await served.close();
});
