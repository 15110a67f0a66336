import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../../test/harness/seed.ts';
import { isCodrError } from '../../../base/error.ts';
import type { BlockStream, RecordBlock } from '../../../model/record-block.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { dropColumns, liveForm } from './live-form.ts';
import { mergeBlocks } from './merge-blocks.ts';
import {
  type Cell,
  cellOf,
  encode,
  evaluate,
  type Fact,
  factOf,
  linesOf,
  type ModelPartition,
  type ModelRow,
  streamOf,
} from './merge-fixture.ts';
import { columns, int, schema } from './merge-schema.fixture.ts';

const keep = { schema, ttl: 'keep' } as const;
const facts = fc.array(factOf(), { minLength: 1, maxLength: 24 });

const merge = (...blocks: readonly RecordBlock[]): BlockStream =>
  mergeBlocks(
    blocks.map((block) => streamOf(block)),
    { signal: new AbortController().signal, clusteringCount: 2 },
  );
const encoded = (list: readonly Fact[]): RecordBlock => encode(evaluate(list));
const lines = (partitions: readonly ModelPartition[]): Promise<string[]> =>
  linesOf(streamOf(encode(partitions), 100));

/** What `change` leaves of each cell and liveness; without deletions and markers. */
function live(
  partitions: readonly ModelPartition[],
  change: (cell: Cell) => Cell | undefined,
): ModelPartition[] {
  const ofRow = (row: ModelRow): ModelRow => ({
    row: row.row,
    mark: undefined,
    live: row.live && change(row.live),
    columns: new Map(
      [...row.columns].flatMap(([name, { cells }]) => {
        const left = [...cells].flatMap(([path, cell]) => {
          const changed = change(cell);
          return changed === undefined ? [] : [[path, changed] as const];
        });
        return left.length === 0 ? [] : [[name, { mark: undefined, cells: new Map(left) }]];
      }),
    ),
  });
  return partitions.map(({ p, rows }) => ({
    p,
    mark: undefined,
    markers: [],
    rows: rows.map(ofRow),
  }));
}

test('the live form is what a read at that second sees (G11-G14, G16-G19)', async () => {
  await fc.assert(
    fc.asyncProperty(facts, fc.constantFrom(99, 100, 150), async (list, nowSeconds) => {
      const expected = live(evaluate(list), (cell) => {
        if (cell.kind === 'tombstone') return undefined;
        return cell.kind === 'expiring' && cell.expiry <= nowSeconds ? undefined : cell;
      });
      const stream = liveForm(streamOf(encoded(list)), { ...keep, nowSeconds });
      assert.deepEqual(await linesOf(stream), await lines(expected));
    }),
    { numRuns: sampled(500) },
  );
});

test('rebasing moves every expiry, and what then has expired is gone (G19)', async () => {
  await fc.assert(
    fc.asyncProperty(facts, fc.constantFrom(-20, 60), async (list, rebaseSeconds) => {
      const expected = live(evaluate(list), (cell) => {
        if (cell.kind !== 'expiring') return cell.kind === 'plain' ? cell : undefined;
        const expiry = cell.expiry + rebaseSeconds;
        return expiry <= 170 ? undefined : { ...cell, expiry };
      });
      const options = { schema, nowSeconds: 170, ttl: { rebaseSeconds } };
      const stream = liveForm(streamOf(encoded(list)), options);
      assert.deepEqual(await linesOf(stream), await lines(expected));
    }),
    { numRuns: sampled(300) },
  );
});

test('expiry that a target cannot hold is cut to the last second that it can (G20)', async () => {
  await fc.assert(
    fc.asyncProperty(facts, async (list) => {
      const expected = live(evaluate(list), (cell) => {
        if (cell.kind !== 'expiring') return cell.kind === 'plain' ? cell : undefined;
        return cell.expiry <= 100 ? undefined : { ...cell, expiry: Math.min(cell.expiry, 150) };
      });
      const options = { schema, nowSeconds: 100, ttl: 'keep', expirySecondsMax: 150 } as const;
      const stream = liveForm(streamOf(encoded(list)), options);
      assert.deepEqual(await linesOf(stream), await lines(expected));
    }),
    { numRuns: sampled(300) },
  );
});

test('freezing makes plain what lives at the cut, whatever the hour (G19)', async () => {
  await fc.assert(
    fc.asyncProperty(facts, async (list) => {
      const expected = live(evaluate(list), (cell) => {
        if (cell.kind !== 'expiring') return cell.kind === 'plain' ? cell : undefined;
        if (cell.expiry <= 100) return undefined;
        return { ...cell, kind: 'plain', expiry: 0, ttl: 0 };
      });
      const options = { schema, nowSeconds: 9999, liveAtSeconds: 100, ttl: 'freeze' } as const;
      const stream = liveForm(streamOf(encoded(list)), options);
      assert.deepEqual(await linesOf(stream), await lines(expected));
    }),
    { numRuns: sampled(300) },
  );
});

test('with tombstones kept and no dropped column the stream is the same', async () => {
  await fc.assert(
    fc.asyncProperty(facts, async (list) => {
      const block = encoded(list);
      const options = { ...keep, nowSeconds: 9999, keepTombstones: true };
      assert.deepEqual(
        await linesOf(liveForm(streamOf(block), options)),
        await linesOf(streamOf(block)),
      );
    }),
    { numRuns: sampled(100) },
  );
});

/** As a compaction of one replica at second 150: expired cells become tombstones. */
function purged(partitions: readonly ModelPartition[]): RecordBlock {
  const purgedCell = (cell: Cell): Cell =>
    cell.kind === 'expiring' && cell.expiry <= 150
      ? { ...cell, kind: 'tombstone', expiry: cell.expiry - cell.ttl, ttl: 0, value: [] }
      : cell;
  return encode(
    partitions.map((partition) => ({
      ...partition,
      rows: partition.rows.map((row) => ({
        ...row,
        columns: new Map(
          [...row.columns].map(([name, column]) => {
            const cells = [...column.cells].map(([path, one]) => [path, purgedCell(one)] as const);
            return [name, { ...column, cells: new Map(cells) }] as const;
          }),
        ),
      })),
    })),
  );
}

test('a compaction on one replica does not change the live form (G19)', async () => {
  // Two writes of one timestamp with other expiries are left out: of those a compaction does change the winner,
  // in Cassandra too, since a tombstone beats an expiring cell.
  const tied = fc.array(factOf(cellOf((at) => (at > 3n ? 200 : 100))), { maxLength: 24 });
  await fc.assert(
    fc.asyncProperty(tied, tied, async (a, b) => {
      const options = { ...keep, nowSeconds: 150 };
      const before = await linesOf(liveForm(merge(encoded(a), encoded(b)), options));
      const [left, right] = [purged(evaluate(a)), encoded(b)];
      assert.deepEqual(await linesOf(liveForm(merge(left, right), options)), before);
      const both = merge(left, purged(evaluate(b)));
      assert.deepEqual(await linesOf(liveForm(both, options)), before);
    }),
    { numRuns: sampled(300) },
  );
});

const plain = (at: bigint, value: number): Cell => ({
  at,
  kind: 'plain',
  expiry: 0,
  ttl: 0,
  value: [value],
});
const written: Fact[] = [
  { p: 0, is: 'cell', row: [0, 0], name: 'a', cell: plain(5n, 1) },
  { p: 0, is: 'cell', row: [0, 1], name: 'a', cell: plain(6n, 2) },
  { p: 0, is: 'cell', row: [0, 1], name: 'b', cell: plain(5n, 3) },
  { p: 0, is: 'complex', row: [0, 1], name: 'm', mark: [5n, 1] },
  { p: 0, is: 'cell', row: [0, 1], name: 'm', path: 1, cell: plain(6n, 4) },
];
const droppedAt = (name: string, droppedMicros: string): TableSchema => ({
  ...schema,
  dropped: [{ name, type: int, isStatic: false, droppedMicros }],
});

test('a column that was dropped and added again keeps only what came after', async () => {
  const ofA = await linesOf(dropColumns(streamOf(encoded(written)), droppedAt('a', '5')));
  assert.deepEqual(ofA, await linesOf(streamOf(encoded(written.slice(1)))));
  const ofM = await linesOf(dropColumns(streamOf(encoded(written)), droppedAt('m', '5')));
  const left = written.filter(({ is }) => is !== 'complex');
  assert.deepEqual(ofM, await linesOf(streamOf(encoded(left))));
});

test('of a column that was dropped for good nothing is left, not even later cells', async () => {
  const without = { ...droppedAt('a', '5'), regulars: columns.slice(1) };
  const ofA = await linesOf(dropColumns(streamOf(encoded(written)), without));
  assert.deepEqual(ofA, await linesOf(streamOf(encoded(written.slice(2)))));
});

test('a column that no schema knows stops the stream and is named with its table', async () => {
  const stream = dropColumns(streamOf(encoded(written)), { ...schema, regulars: [] });
  await assert.rejects(linesOf(stream), (error) => {
    assert.ok(isCodrError(error, 'source-unfit'));
    assert.match(error.message, /shop\.orders.*"a"/);
    return true;
  });
});
