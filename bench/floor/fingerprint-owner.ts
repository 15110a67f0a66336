// The owner of all slots as another peer has it: behind gRPC, in a thread whose CPU is counted apart.
import { parentPort } from 'node:worker_threads';
import { everybody } from '../../src/api/access.ts';
import { fakeApi } from '../../src/api/fake-api.fixture.ts';
import { serve } from '../../src/api/grpc/serve.ts';
import type { OperationStore } from '../../src/api/operations.ts';
import { silentLogger } from '../../src/base/log.ts';
import { exchangeOf, heldIds, ownerOf, wallClock } from '../fingerprint-peers.ts';

const owner = exchangeOf('owner', await ownerOf(heldIds()), async () => {
  throw new Error('the owner of all slots asks nobody');
});
const served = await serve({
  listen: '127.0.0.1:0',
  credentials: 'insecure',
  api: fakeApi(async () => ({})),
  operations: {} as OperationStore, // nobody asks for any
  authorise: everybody,
  audit: { append: async () => {} },
  clock: wallClock,
  log: silentLogger,
  redact: (text) => text,
  peer: {
    lookUp: (request) => owner.serve(request),
    where: (request) => owner.serveWhere(request),
    ping: async (news) => news,
  },
});
/** Any message is answered with the CPU seconds so far. */
parentPort?.on('message', () => {
  const { user, system } = process.threadCpuUsage();
  parentPort?.postMessage((user + system) / 1e6);
});
parentPort?.postMessage(served.address);
