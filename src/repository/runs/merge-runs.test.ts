import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../../base/random.ts';
import { type Change, compareChanges } from '../../model/change.ts';
import { mergeRuns } from './merge-runs.ts';
import { batchesOf, change, gather, randomChange } from './run-fixture.ts';
import { sortChanges } from './run-writer.ts';

test('merging any runs gives the sorted changes of all, each once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 0, max: 13 }), async (seed, inputCount) => {
      const random = new SeededRandom(seed);
      // No two of one identity: which of them stays would be a matter of chance.
      const pool = sortChanges(Array.from({ length: 60 }, () => randomChange(random)));
      const runs = Array.from({ length: inputCount }, () => {
        const picked = pool.filter(() => random.below(3) === 0);
        return sortChanges(picked);
      });
      const merged = await gather(
        mergeRuns(runs.map((run) => batchesOf(run, 1 + random.below(5)))),
      );
      const expected = new Set(runs.flat());
      assert.deepEqual(merged, sortChanges([...expected]));
    }),
    { numRuns: 200 },
  );
});

test('long keys and short ones are merged in one order', async () => {
  const names = [
    'k'.repeat(39),
    'k'.repeat(40),
    'k'.repeat(41),
    'k'.repeat(80),
    `${'k'.repeat(60)}a`,
  ];
  const changes = names.map((name) => change({ name })).sort(compareChanges);
  const merged = await gather(mergeRuns(changes.map((each) => batchesOf([each]))));
  assert.deepEqual(merged, changes);
});

test('a merge that is left early closes every input', async () => {
  let closed = 0;
  async function* endless(name: string): AsyncGenerator<readonly Change[]> {
    try {
      for (let time = 1n; ; time++) yield [change({ name, time })];
    } finally {
      closed++;
    }
  }
  for await (const batch of mergeRuns([endless('a'), endless('b')])) {
    assert.ok(batch.length > 0);
    break;
  }
  assert.equal(closed, 2);
});

test('an input that fails fails the merge and closes the others', async () => {
  let closed = false;
  async function* fine(): AsyncGenerator<readonly Change[]> {
    try {
      yield [change({ name: 'a' })];
      yield [change({ name: 'c' })];
    } finally {
      closed = true;
    }
  }
  async function* failing(): AsyncGenerator<readonly Change[]> {
    yield [change({ name: 'b' })];
    throw new Error('lost');
  }
  await assert.rejects(gather(mergeRuns([fine(), failing()])), /lost/);
  assert.ok(closed);
});
