// Replicas are compared block by block, wherever their blocks end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../../test/harness/seed.ts';
import { toHex } from '../../../base/bytes.ts';
import { type BlockStream, batchOf, blockOf } from '../../../model/record-block.ts';
import { unanimous } from './unanimous.ts';

const hosts = ['a', 'b', 'c'];
/** By the first byte of a token; equal sets are one array, as rings give them. */
const ownersByToken: readonly (readonly string[])[] = [['a', 'b'], ['b', 'c'], ['c', 'a'], ['b']];

interface Row {
  /** Of 256 tokens; a partition has several rows. */
  readonly token: number;
  readonly row: number;
  readonly size: number;
}

const rows = fc
  .uniqueArray(
    fc.record({
      token: fc.nat(7),
      row: fc.nat(9),
      size: fc.constantFrom(0, 3, 600, 100_000),
    }),
    { maxLength: 40, selector: ({ token, row }) => `${token} ${row}` },
  )
  .map((all) => all.sort((a, b) => a.token - b.token || a.row - b.row));

const ownersOf = (bytes: Uint8Array, start: number): readonly string[] =>
  ownersByToken[(bytes[start] as number) % 4] as readonly string[];

const recordOf = ({ token, row, size }: Row, mark = 0) => ({
  key: Buffer.from([token, 0, 0, 0, 0, 0, 0, 1, 7, row]),
  value: Buffer.alloc(size, row + mark),
});

/** What a node has, in blocks of so many records; now and then an empty one. */
async function* held(
  all: readonly Row[],
  hostId: string,
  { perBlock, mark = () => 0 }: { perBlock: number; mark?: (row: Row) => number },
): BlockStream {
  const own = all.filter(({ token }) => ownersByToken[token % 4]?.includes(hostId));
  for (let i = 0; i < own.length; i += perBlock) {
    if (i % 3 === 0) yield blockOf([]);
    yield blockOf(own.slice(i, i + perBlock).map((row) => recordOf(row, mark(row))));
  }
}

const said = (blocks: readonly BlockStream[]): Promise<string[]> =>
  read(
    unanimous(
      blocks.map((one, i) => streamOf(hosts[i] as string, one)),
      ownersOf,
      'k.t',
    ),
  );
const streamOf = (hostId: string, blocks: BlockStream) => {
  return { hostIds: [hostId], address: `at ${hostId}`, blocks };
};

async function read(stream: BlockStream): Promise<string[]> {
  const blocks = [];
  for await (const block of stream) blocks.push(block);
  return blocks.flatMap((block) =>
    batchOf(block).map(({ key, value }) => `${toHex(key)} ${toHex(value)}`),
  );
}

const perBlocks = fc.tuple(
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 1, max: 9 }),
);

test('replicas that agree give each record once, whatever blocks they lie in', async () => {
  await fc.assert(
    fc.asyncProperty(rows, perBlocks, async (all, sizes) => {
      const streams = hosts.map((hostId, i) => held(all, hostId, { perBlock: sizes[i] as number }));
      const wanted = all.map((row) => recordOf(row));
      assert.deepEqual(
        await said(streams),
        wanted.map(({ key, value }) => `${toHex(key)} ${toHex(value)}`),
      );
    }),
    { numRuns: sampled(100) },
  );
});

test('one record that one of several replicas lacks, or has otherwise, is no proof', async () => {
  await fc.assert(
    fc.asyncProperty(
      rows.filter((all) => all.some(({ token }) => token % 4 !== 3)),
      perBlocks,
      fc.nat(),
      fc.constantFrom('lacks', 'has another version of'),
      async (all, sizes, pick, fault) => {
        const shared = all.filter(({ token, size }) => {
          return token % 4 !== 3 && (fault === 'lacks' || size > 0);
        });
        const wrong = shared[pick % Math.max(1, shared.length)];
        if (!wrong) return;
        const owners = ownersByToken[wrong.token % 4] as readonly string[];
        const liar = owners[pick % owners.length];
        const streams = hosts.map((hostId, i) => {
          const options = { perBlock: sizes[i] as number };
          if (hostId !== liar) return held(all, hostId, options);
          if (fault === 'lacks')
            return held(
              all.filter((row) => row !== wrong),
              hostId,
              options,
            );
          return held(all, hostId, { ...options, mark: (row) => (row === wrong ? 1 : 0) });
        });
        const key = toHex(recordOf(wrong).key);
        await assert.rejects(said(streams), (error: Error & { code?: string }) => {
          assert.equal(error.code, 'proof-failed');
          assert.ok(error.message.endsWith(`the record ${key}`), error.message);
          return fault === 'lacks' ? error.message.includes(`at ${liar} lacks`) : true;
        });
      },
    ),
    { numRuns: sampled(100) },
  );
});

test('a record of a node that does not own it breaks the promise that such are left out', async () => {
  const [only] = [{ token: 3, row: 1, size: 3 }];
  const foreign = (async function* (): BlockStream {
    yield blockOf([recordOf(only as Row)]);
  })();
  const owned = held([only as Row], 'b', { perBlock: 1 });
  await assert.rejects(said([foreign, owned, held([], 'c', { perBlock: 1 })]), /owns/);
});

test('a stream that is left, or fails, closes those of all replicas', async () => {
  const closed: string[] = [];
  const endless = (hostId: string, failsAt = Number.POSITIVE_INFINITY) =>
    (async function* (): BlockStream {
      try {
        for (let row = 0; ; row++) {
          if (row === failsAt) throw new Error('a file cannot be read');
          yield blockOf([recordOf({ token: 3, row, size: 300_000 })]);
        }
      } finally {
        closed.push(hostId);
      }
    })();
  const both = (failsAt?: number) => {
    const streams = [endless('b'), endless('c', failsAt)];
    const replicas = streams.map((blocks, i) => streamOf(hosts[i + 1] as string, blocks));
    return unanimous(replicas, () => ['b', 'c'], 'k.t');
  };
  for await (const { count } of both()) {
    assert.equal(count, 1);
    break;
  }
  assert.deepEqual(closed.splice(0).sort(), ['b', 'c']);
  await assert.rejects(read(both(5)), /a file cannot be read/);
  assert.deepEqual(closed.splice(0).sort(), ['b', 'c']);
});
