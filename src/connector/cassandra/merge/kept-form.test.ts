// Whatever a server has compacted by then, the kept form of its table is the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../../test/harness/seed.ts';
import type { RecordBlock } from '../../../model/record-block.ts';
import { type KeptFormOptions, keptForm } from './kept-form.ts';
import { liveForm } from './live-form.ts';
import {
  type Cell,
  encode,
  evaluate,
  type Fact,
  factOf,
  linesOf,
  type Mark,
  type ModelPartition,
  type ModelRow,
  streamOf,
} from './merge-fixture.ts';
import { schema } from './merge-schema.fixture.ts';

const facts = fc.array(factOf(), { minLength: 1, maxLength: 24 });
const seconds = fc.constantFrom(0, 10, 11, 20, 60, 95, 100, 101, 150, 195, 200, 3_500_000_000);
const graces = fc.constantFrom(0, 5, 50, 1000);
const latest = 0x7ffffffe;

type Times = Pick<KeptFormOptions, 'nowSeconds' | 'sinceSeconds' | 'secondsMax'>;
const kept = (block: RecordBlock, times: Times) =>
  keptForm(streamOf(block), { clusteringCount: 2, ...times });
const encoded = (list: readonly Fact[]): RecordBlock => encode(evaluate(list));
const at = (nowSeconds: number, grace: number): Times => ({
  ...{ nowSeconds, sinceSeconds: Math.max(0, nowSeconds - grace) },
});

/** The same by the model: partitions as the rules of a purge leave them. */
function modelled(
  partitions: readonly ModelPartition[],
  { nowSeconds, sinceSeconds, secondsMax = 0xffffffff }: Times,
): ModelPartition[] {
  const cap = (second: number): number => Math.min(second, secondsMax);
  const markOf = (mark: Mark | undefined): Mark | undefined =>
    mark && cap(mark[1]) >= sinceSeconds ? [mark[0], cap(mark[1])] : undefined;
  const cellOf = (cell: Cell): Cell | undefined => {
    if (cell.kind === 'plain') return cell;
    const ends = cap(cell.expiry);
    if (cell.kind === 'expiring' && ends > nowSeconds) return { ...cell, expiry: ends };
    const time = cell.kind === 'tombstone' ? ends : ends - cell.ttl;
    return time < sinceSeconds
      ? undefined
      : { ...cell, kind: 'tombstone', expiry: time, ttl: 0, value: [] };
  };
  const liveOf = (cell: Cell | undefined): Cell | undefined => {
    if (cell?.kind !== 'expiring') return cell;
    const ends = cap(cell.expiry);
    return ends <= nowSeconds && ends < sinceSeconds ? undefined : { ...cell, expiry: ends };
  };
  const rowOf = (row: ModelRow): ModelRow => ({
    row: row.row,
    live: liveOf(row.live),
    mark: markOf(row.mark),
    columns: new Map(
      [...row.columns].flatMap(([name, { mark, cells }]) => {
        const left = new Map(
          [...cells].flatMap(([path, cell]) => {
            const changed = cellOf(cell);
            return changed ? [[path, changed] as const] : [];
          }),
        );
        const own = markOf(mark);
        return own || left.size > 0 ? [[name, { mark: own, cells: left }] as const] : [];
      }),
    ),
  });
  return partitions.map(({ p, mark, markers, rows }) => {
    let state: Mark | undefined;
    const changed = markers
      .map(({ bound, mark: one }) => ({ bound, mark: markOf(one) }))
      .filter(({ mark: one }) => {
        const isSame = String(one) === String(state);
        state = one;
        return !isSame;
      });
    return { p, mark: markOf(mark), markers: changed, rows: rows.map(rowOf) };
  });
}

test('deletions that may have gone are left out, and what has expired is a tombstone', async () => {
  await fc.assert(
    fc.asyncProperty(facts, seconds, graces, fc.boolean(), async (list, now, grace, isCut) => {
      const times = { ...at(now, grace), ...(isCut && { secondsMax: latest }) };
      const wanted = encode(modelled(evaluate(list), times));
      const made = await linesOf(kept(encoded(list), times));
      assert.deepEqual(made, await linesOf(streamOf(wanted, 100)));
    }),
    { numRuns: sampled(400) },
  );
});

test('a table that was compacted before has the same kept form, and what lives is untouched', async () => {
  await fc.assert(
    fc.asyncProperty(facts, seconds, graces, fc.nat(200), async (list, now, grace, earlier) => {
      const block = encoded(list);
      const wanted = await linesOf(kept(block, at(now, grace)));
      const before = Math.max(0, now - earlier);
      // A compaction may leave any of what it may drop: here all, and nothing but expired cells.
      for (const sinceSeconds of [Math.max(0, before - grace), 0]) {
        const compacted = keptForm(streamOf(block), {
          ...{ clusteringCount: 2, nowSeconds: before, sinceSeconds },
        });
        const again = keptForm(compacted, { clusteringCount: 2, ...at(now, grace) });
        assert.deepEqual(await linesOf(again), wanted);
      }
      const live = { schema, ttl: 'keep', nowSeconds: now } as const;
      assert.deepEqual(
        await linesOf(liveForm(kept(block, at(now, grace)), live)),
        await linesOf(liveForm(streamOf(block), live)),
      );
    }),
    { numRuns: sampled(400) },
  );
});
