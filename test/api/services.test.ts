// The services beside the API: health for balancers, reflection for tools.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, credentials, type MethodDefinition } from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { fakeApi, untilStopped } from '../../src/api/fake-api.fixture.ts';
import { serve } from '../../src/api/grpc/serve.ts';
import { LocalOperations } from '../../src/api/local-operations.ts';
import { calm, clientOf, localOptions, openServe } from './world.ts';

const check = healthService.Check as unknown as MethodDefinition<object, { status: string }>;

function ask<R>(client: Client, method: MethodDefinition<object, R>, request: object): Promise<R> {
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, value) =>
      value === undefined ? reject(error) : resolve(value),
    );
  });
}

test('health is told of the whole and of each service, without a token, until the peer stops', async () => {
  const api = fakeApi(untilStopped);
  await using operations = new LocalOperations(api, localOptions);
  const options = { ...openServe({ api, operations }), authorise: () => undefined };
  const served = await serve(options);
  const client = new Client(served.address, credentials.createInsecure());
  for (const service of ['', 'codr.v1.Sources', 'codr.v1.Operations', 'codr.v1.Repository']) {
    assert.equal((await ask(client, check, { service })).status, 'SERVING', service);
  }
  await assert.rejects(ask(client, check, { service: 'codr.v1.Nothing' }), /NOT_FOUND/);
  served.setHealth(false);
  assert.equal((await ask(client, check, { service: '' })).status, 'NOT_SERVING');
  served.setHealth(true);
  // While the balancer is given time to notice, the peer still answers, and says that it is going.
  const closing = served.close({ balancerMs: 500 });
  assert.equal((await ask(client, check, { service: '' })).status, 'NOT_SERVING');
  await closing;
  client.close();
});

test('who watches the health does not hold up a peer that stops', async () => {
  const api = fakeApi(untilStopped);
  await using operations = new LocalOperations(api, localOptions);
  const served = await serve(openServe({ api, operations }));
  const client = new Client(served.address, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } =
    healthService.Watch as unknown as MethodDefinition<object, { status: string }>;
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {
    service: '',
  });
  stream.on('error', () => {});
  const told: string[] = [];
  stream.on('data', ({ status }: { status: string }) => told.push(status));
  while (told.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const start = performance.now();
  await served.close({ drainMs: 30_000 });
  assert.ok(performance.now() - start < 5000);
  assert.equal(told[0], 'SERVING');
  client.close();
});

test('the protos are told by reflection only where that is wanted', async () => {
  const api = fakeApi(async () => ({ sources: [] }));
  await using operations = new LocalOperations(api, localOptions);
  for (const reflection of [true, false]) {
    const served = await serve({ ...openServe({ api, operations }), reflection });
    assert.equal(await reflected(served.address), reflection);
    // Beside it the API is what it is.
    await using remote = clientOf(served);
    assert.deepEqual(await remote.listSources(calm), { sources: [] });
    await served.close();
  }
});

/** Asks for the list of services; false when there is no reflection. */
async function reflected(address: string): Promise<boolean> {
  const client = new Client(address, credentials.createInsecure());
  // `list_services: ""` is field 7 of the request.
  const bytes = Buffer.from([0x3a, 0x00]);
  const same = (text: Buffer): Buffer => text;
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const stream = client.makeBidiStreamRequest(path, same, same);
  try {
    return await new Promise<boolean>((resolve, reject) => {
      stream.on('error', (error: { code?: number }) =>
        error.code === 12 ? resolve(false) : reject(error),
      );
      stream.on('data', (answer: Buffer) => resolve(answer.includes('codr.v1.Operations')));
      stream.write(bytes);
    });
  } finally {
    stream.cancel();
    client.close();
  }
}
