import { after } from 'node:test';
import { sharedEtcd } from '../../../test/harness/etcd.ts';
import type { TcpProxy } from '../../../test/harness/tcp-proxy.ts';
import { SeededRandom } from '../../base/random.ts';
import { coordinatorConformance } from '../conformance.ts';
import { endpointsOf, openEtcd, proxiesOf, rawEtcd, untilLost } from './etcd.fixture.ts';

// Short, since the holder of a lease that is ended behind its back hears of it by its next keep-alive.
const ttlMs = 4000;
const cluster = sharedEtcd({ members: 3 });

async function open(endpoints: readonly string[]) {
  const coordinator = await openEtcd(endpoints);
  const raw = rawEtcd((await cluster()).endpoints[0] as string);
  return {
    coordinator,
    expire: async (lease: { id: string; lost: AbortSignal }) => {
      await raw.leases.leaseRevoke({ ID: lease.id });
      await untilLost(lease as never);
    },
    dispose: async () => {
      await coordinator[Symbol.asyncDispose]();
      raw.close();
    },
  };
}

coordinatorConformance('etcd, three members', async () => await open((await cluster()).endpoints), {
  ttlMs,
});

const proxies: TcpProxy[] = [];
const stop = new AbortController();
after(async () => {
  stop.abort();
  await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
});

coordinatorConformance(
  'etcd, over a network that delays, cuts and freezes',
  async () => {
    if (proxies.length === 0) {
      proxies.push(...(await proxiesOf(await cluster())));
      void misbehave(proxies, stop.signal);
    }
    return await open(endpointsOf(proxies));
  },
  { ttlMs },
);

/** One proxy after another is cut or frozen for a moment, at random. */
async function misbehave(all: readonly TcpProxy[], signal: AbortSignal): Promise<void> {
  const random = new SeededRandom(5);
  for (const proxy of all) proxy.faults = { delayMs: 1 + random.below(8) };
  while (!signal.aborted) {
    const proxy = all[random.below(all.length)] as TcpProxy;
    if (random.below(3) === 0) proxy.freeze();
    else proxy.cut();
    await new Promise((resolve) => setTimeout(resolve, 50 + random.below(250)));
    proxy.thaw();
  }
}
