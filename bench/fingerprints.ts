// How many fingerprints does one peer look up for another? The question is encoded, decoded, looked up in the table that
// an owner of slots has in memory, and the answer goes back the same way: by a call of a function in one thread, and by
// gRPC over the loopback to another thread. CPU seconds, of the busier peer, so other work on the machine counts little.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PeerLink } from '../src/api/client/peer-link.ts';
import type { FingerprintExchange } from '../src/cluster/fingerprint-exchange.ts';
import { exchangeOf, heldIds, ownerOf, randomIds, wallClock } from './fingerprint-peers.ts';
import { type BenchOptions, type Question, say } from './question.ts';

export const fingerprintsQuestion: Question = {
  name: 'fingerprints',
  about: 'lookups a CPU second of one peer for another; wanted 2 M/s',
  run,
};

const batch = 4096;
/** Two on the wire, two that gather. */
const batchesAtOnce = 4;
const asked = 200_000;

/** CPU seconds so far of each peer. */
type Cpu = () => Promise<number[]>;

async function run({ runs }: BenchOptions): Promise<void> {
  const ids = heldIds();
  const leaves = await ownerOf(ids);
  say(`${leaves.size} leaves in the owner's table, ${batch} ids a question; M/s`);
  const measure = async (over: string, asker: FingerprintExchange, cpu: Cpu): Promise<void> => {
    for (const [name, wanted] of [
      ['unknown', randomIds(asked, 2)],
      ['known', ids.slice(0, asked)],
    ] as const) {
      const rates: number[] = [];
      for (let i = 0; i < runs; i++) rates.push(await rate(cpu, () => askAll(asker, wanted)));
      show(rates, `${name}, ${over}`);
    }
    const { unanswered } = asker.counts;
    if (unanswered > 0) throw new Error(`${unanswered} ids got no answer`);
  };
  const owner = exchangeOf('owner', leaves, () => Promise.reject(new Error('it asks nobody')));
  const asker = exchangeOf('asker', leaves, (request) => owner.serve(request));
  await measure('both peers in one thread', asker, async () => [ownCpu()]);
  await overGrpc(async (link, cpu) => {
    const other = exchangeOf('asker', leaves, (request, signal) => link.lookUp(request, signal));
    await measure('by gRPC, a thread each', other, cpu);
  });
  const flat = Buffer.concat(randomIds(asked, 2).map((id) => id.subarray(0, 16)));
  const rates: number[] = [];
  for (let i = 0; i < runs; i++) {
    rates.push(
      await rate(
        async () => [ownCpu()],
        async () => {
          for (let at = 0; at < flat.length; at += batch * 16) {
            await leaves.find(flat.subarray(at, at + batch * 16));
          }
        },
      ),
    );
  }
  show(rates, 'unknown, the lookup alone');
}

function show(rates: readonly number[], what: string): void {
  say(`${(Math.max(...rates) / 1e6).toFixed(2).padStart(6)} ${what}`);
}

function ownCpu(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

/** Of {@link asked} ids, a CPU second of the busier one. */
async function rate(cpu: Cpu, work: () => Promise<void>): Promise<number> {
  const before = await cpu();
  await work();
  const after = await cpu();
  return asked / Math.max(...after.map((seconds, i) => seconds - (before[i] as number)));
}

async function askAll(asker: FingerprintExchange, ids: readonly Uint8Array[]): Promise<void> {
  let at = 0;
  const ask = async (): Promise<void> => {
    while (at < ids.length) {
      const some = ids.slice(at, at + batch);
      at += some.length;
      await asker.ask(some, 1);
    }
  };
  await Promise.all(Array.from({ length: batchesAtOnce }, ask));
}

async function overGrpc(measure: (link: PeerLink, cpu: Cpu) => Promise<void>): Promise<void> {
  const owner = new Worker(new URL('./floor/fingerprint-owner.ts', import.meta.url));
  const said = async <T>(): Promise<T> => (await once(owner, 'message'))[0] as T;
  const address = await said<string>();
  const link = new PeerLink({ address, tls: 'insecure', clock: wallClock });
  const cpu = async (): Promise<number[]> => {
    const theirs = said<number>();
    owner.postMessage('cpu');
    return [ownCpu(), await theirs];
  };
  try {
    await measure(link, cpu);
  } finally {
    link[Symbol.dispose]();
    await owner.terminate();
  }
}
