import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../test/harness/seed.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { LeafId, PackId } from '../../model/id.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { BlobSession } from './blob-session.ts';
import { namesIn, openBlobStore } from './pack-fixture.ts';
import { packAddressOf } from './pack-format.ts';

type Step =
  | { readonly do: 'put'; readonly session: number; readonly blobs: readonly number[] }
  | { readonly do: 'flush'; readonly session: number; readonly commit: boolean }
  | { readonly do: 'condemn'; readonly pack: number }
  | { readonly do: 'fail'; readonly on: boolean };

const sessionCount = 3;
const session = fc.nat(sessionCount - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      session,
      blobs: fc.array(fc.nat(30), { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('flush' as const), session, commit: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('condemn' as const), pack: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), on: fc.boolean() }) },
);

/** Blob `n`: sizes from 1 byte to more than a frame, contents that do not shrink away. */
function blob(n: number): Buffer {
  return Buffer.alloc(n === 30 ? 270_000 : 1 + n * n * 40, `blob ${n} `);
}

/** Refuses packs while `failing`. */
class FailingStore extends MemoryObjectStore {
  failing = false;

  override async create(name: string, body: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    if (this.failing) throw new CodrError('store-unreachable', 'the store is full');
    return await super.create(name, body);
  }
}

/** Reads `put` in a process that finds the listed packs alone, and their index. */
async function assertSuffice(
  store: MemoryObjectStore,
  packs: ReadonlySet<PackId>,
  put: ReadonlyMap<number, LeafId>,
): Promise<void> {
  const alone = new MemoryObjectStore();
  for (const name of await namesIn(store, '')) {
    const pack = packAddressOf(name);
    if (!pack || packs.has(pack.id)) await alone.create(name, [await store.get(name)]);
  }
  const reader = await openBlobStore(alone);
  const found = await reader.get('leaf', [...put.values()]);
  for (const [i, n] of [...put.keys()].entries()) {
    assert.ok(blob(n).equals(found[i] as Uint8Array), `blob ${n}`);
  }
}

async function run(steps: readonly Step[]): Promise<void> {
  const store = new FailingStore();
  const blobs = await openBlobStore(store, { packBytesTarget: 3000, pendingLeavesMax: 10 });
  const open = (): { work: BlobSession; put: Map<number, LeafId> } => ({
    work: blobs.session(),
    put: new Map(),
  });
  const sessions = Array.from({ length: sessionCount }, open);
  const stored: PackId[] = [];
  const condemned = new Set<PackId>();
  const running: Promise<void>[] = [];
  for (const one of [...steps, ...flushAll]) {
    if (one.do === 'fail') store.failing = one.on;
    if (one.do === 'condemn' && stored[one.pack]) {
      condemned.add(stored[one.pack] as PackId);
      blobs.forget([stored[one.pack] as PackId]);
    }
    if (one.do === 'put') {
      const { work, put } = sessions[one.session] as (typeof sessions)[number];
      const putting = work.put('leaf', one.blobs.map(blob)).then((ids) => {
        for (const [i, n] of one.blobs.entries()) put.set(n, ids[i] as LeafId);
      });
      running.push(putting);
    }
    if (one.do !== 'flush') continue;
    await Promise.all(running.splice(0));
    const { work, put } = sessions[one.session] as (typeof sessions)[number];
    sessions[one.session] = open();
    try {
      const { newPacks, reusedPacks } = await work.flush();
      const used = new Set([...newPacks, ...reusedPacks].map(({ id }) => id));
      await assertSuffice(store, used, put);
      stored.push(...used);
      // A commit that lists condemned packs is refused.
      if (one.commit && ![...used].some((id) => condemned.has(id))) blobs.committed(used);
    } catch (error) {
      if (!isCodrError(error, 'store-unreachable')) throw error;
    }
  }
}

const flushAll: Step[] = [
  { do: 'fail', on: false },
  ...Array.from(
    { length: sessionCount },
    (_, n) => ({ do: 'flush', session: n, commit: true }) as const,
  ),
];

test('the packs that a flush lists are enough to read all that its session put', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), run), {
    numRuns: sampled(60),
  });
});
