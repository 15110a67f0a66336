import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../../test/harness/seed.ts';
import { type BlockStream, blockOf, type RecordBlock } from '../../../model/record-block.ts';
import { tokenMax, tokenMin, tokenPrefix } from '../key/record-key.ts';
import { liveForm } from './live-form.ts';
import { mergeBlocks } from './merge-blocks.ts';
import {
  type Cell,
  encode,
  evaluate,
  type Fact,
  factOf,
  linesOf,
  type Mark,
  recordsOf,
  streamOf,
} from './merge-fixture.ts';
import { schema } from './merge-schema.fixture.ts';
import { type PurgeOptions, purgeDeletions } from './purge-deletions.ts';
import type { Horizon } from './row-purge.ts';

const everywhere = [{ fromExclusive: tokenPrefix(tokenMin), toInclusive: tokenPrefix(tokenMax) }];
/** The fixture's deletions are of second 10, 20 or far later, its values expire at 100, 200 or far later. */
const horizon: Horizon = { graceSeconds: 150, floorSeconds: 96 };
const whole: PurgeOptions = { clusteringCount: 2, horizon, ranges: everywhere };
const nowSeconds = 5_000;

const encoded = (list: readonly Fact[]): RecordBlock => encode(evaluate(list));
const merge = (...blocks: readonly RecordBlock[]): BlockStream =>
  mergeBlocks(
    blocks.map((block) => streamOf(block)),
    { signal: new AbortController().signal, clusteringCount: 2 },
  );
const blockFrom = async (stream: BlockStream): Promise<RecordBlock> => {
  const records = [];
  for await (const block of stream) records.push(...recordsOf(block));
  return blockOf(records);
};
const purged = (block: RecordBlock, options = whole): Promise<RecordBlock> =>
  blockFrom(purgeDeletions(merge(block), options));
const live = (...blocks: readonly RecordBlock[]): Promise<string[]> =>
  linesOf(liveForm(merge(...blocks), { schema, nowSeconds, ttl: 'keep' }));

/** Whether no replica holds it any more, by the rule's own words. */
const isGoneMark = ([, time]: Mark): boolean => time < 150 && time < 96;
const isGoneCell = ({ kind, expiry, ttl }: Cell): boolean => {
  if (kind === 'plain') return false;
  return expiry < 150 && expiry - ttl < 96;
};
const isGone = (fact: Fact): boolean => {
  if (fact.is === 'cell' || fact.is === 'live') return isGoneCell(fact.cell);
  return isGoneMark(fact.mark);
};

const facts = fc.array(factOf(), { minLength: 1, maxLength: 24 });
/** A deletion that is later by the clock never has the smaller timestamp: clients take both from one clock. */
const inOrder = (list: readonly Fact[]): Fact[] =>
  list.map((fact): Fact => {
    if (fact.is === 'cell' || fact.is === 'live') {
      const { cell } = fact;
      if (cell.kind === 'plain') return fact;
      const expiry = cell.at < 3n ? 100 : 4_000_000_000;
      return { ...fact, cell: { ...cell, expiry } };
    }
    return { ...fact, mark: [fact.mark[0], fact.mark[0] < 3n ? 10 : 3_000_000_000] };
  });

test('what no replica holds any more goes, all else stays, in normal form', async () => {
  await fc.assert(
    fc.asyncProperty(facts, async (list) => {
      const block = await purged(encoded(list));
      // The form is the one that a merge of it has.
      assert.deepEqual(await linesOf(merge(block)), await linesOf(streamOf(block)));
      const again = await purged(block);
      assert.deepEqual(await linesOf(streamOf(again)), await linesOf(streamOf(block)));
      assert.deepEqual(await live(block), await live(encoded(list)), 'a reader sees the same');
    }),
    { numRuns: sampled(500) },
  );
});

test('where deletions ascend with time, it is what the facts without the gone ones leave of the rest', async () => {
  await fc.assert(
    fc.asyncProperty(facts.map(inOrder), async (list) => {
      const kept = list.filter((fact) => !isGone(fact));
      const expected = encoded(kept);
      // What a gone deletion shadowed is gone with it, and must not be there.
      const shadowing = await purged(encoded(list));
      const merged = await linesOf(merge(shadowing, expected));
      assert.deepEqual(merged, await linesOf(merge(expected)));
    }),
    { numRuns: sampled(500) },
  );
});

test('what is written later is read alike, whether deletions were purged or not', async () => {
  const later = facts.map((list) =>
    list.map((fact): Fact => {
      const at = (old: bigint): bigint => (old < 0n ? 2n ** 62n + 1n : 2n ** 62n + 2n);
      if (fact.is === 'cell' || fact.is === 'live') {
        return { ...fact, cell: { ...fact.cell, at: at(fact.cell.at) } };
      }
      return { ...fact, mark: [at(fact.mark[0]), fact.mark[1]] };
    }),
  );
  await fc.assert(
    fc.asyncProperty(facts, later, async (list, more) => {
      const base = encoded(list);
      assert.deepEqual(
        await live(await purged(base), encoded(more)),
        await live(base, encoded(more)),
      );
    }),
    { numRuns: sampled(500) },
  );
});

test('whatever replicas still hold may be captured again: a reader sees what the cluster shows at ALL', async () => {
  // Replicas have let go of the gone deletions, but not all of what those shadowed: one may have been behind.
  await fc.assert(
    fc.asyncProperty(facts.map(inOrder), facts, async (list, more) => {
      const held = encoded(list.filter((fact) => !isGone(fact)));
      const later = encoded(more);
      assert.deepEqual(
        await live(await purged(encoded(list)), held, later),
        await live(held, later),
      );
    }),
    { numRuns: sampled(500) },
  );
});

const row = [0, 0] as const;
const old: Fact = {
  ...{ p: 0, is: 'cell', row, name: 'a' },
  cell: { at: 1n, kind: 'plain', expiry: 0, ttl: 0, value: [7] },
};
const rowDeletion: Fact = { p: 0, is: 'row', row, mark: [2n, 10] };

test('without the rule it comes back: a replica that holds the deletion still hides what a purge brought back', async () => {
  const base = encoded([old, rowDeletion]);
  const recaptured = encoded([old]);
  // A file of compaction that holds the old cell is captured again; the deletion lies in a file that is known.
  const cluster = await live(encoded([old, rowDeletion]));
  assert.deepEqual(cluster, []);
  const floorIsKept = { ...whole, horizon: { ...horizon, floorSeconds: 10 } };
  assert.deepEqual(await live(await purged(base, floorIsKept), recaptured), cluster);
  const ruleIsBroken = { ...whole, horizon: { ...horizon, floorSeconds: 11 } };
  assert.notDeepEqual(await live(await purged(base, ruleIsBroken), recaptured), cluster);
});

test('within gc_grace_seconds a deletion stays, though no replica has it: a hint may still bring what it hides', async () => {
  const base = encoded([old, rowDeletion]);
  const inGrace = { ...whole, horizon: { graceSeconds: 10, floorSeconds: 96 } };
  const hint = encoded([old]);
  assert.deepEqual(await live(await purged(base, inGrace), hint), []);
  assert.equal((await purged(base)).count, 0);
});

test('an expired value counts as written, as old as the tombstone that a compaction makes of it', async () => {
  const cell = { at: 2n, kind: 'expiring', expiry: 100, ttl: 50, value: [1] } as const;
  const expired = encoded([{ p: 0, is: 'cell', row, name: 'a', cell }]);
  const at = (floorSeconds: number): PurgeOptions => ({
    ...whole,
    horizon: { graceSeconds: 101, floorSeconds },
  });
  assert.equal((await purged(expired, at(50))).count, 1);
  assert.equal((await purged(expired, at(51))).count, 0);
  const unexpired = { ...whole, horizon: { graceSeconds: 100, floorSeconds: 51 } };
  assert.equal((await purged(expired, unexpired)).count, 1);
});

test('where a replica was missing everything stays', async () => {
  await fc.assert(
    fc.asyncProperty(facts, async (list) => {
      // Tokens of the fixture: 0, and two neighbours of which one is alone in the range.
      const ranges = [{ fromExclusive: tokenPrefix(tokenMin), toInclusive: tokenPrefix(0n) }];
      const block = await purged(encoded(list), { ...whole, ranges });
      const outside = (one: RecordBlock): Promise<string[]> =>
        linesOf(streamOf(one)).then((lines) =>
          lines.filter((line) => line.startsWith('8000000000000001')),
        );
      assert.deepEqual(await outside(block), await outside(encoded(list)));
      const inside = (await linesOf(streamOf(block))).filter((l) =>
        l.startsWith('8000000000000000'),
      );
      const all = await linesOf(streamOf(await purged(encoded(list))));
      assert.deepEqual(
        inside,
        all.filter((line) => line.startsWith('8000000000000000')),
      );
    }),
    { numRuns: sampled(200) },
  );
});
