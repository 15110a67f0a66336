import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulateCluster } from './cluster-simulation.ts';
import { manyWorlds } from './many-worlds.ts';

/** `CODR_SEEDS` says how many worlds, `CODR_SEED_FROM` where they begin. */
const seeds = Math.max(4, Math.round(Number(process.env.CODR_SEEDS ?? 2000)));
const first = Number(process.env.CODR_SEED_FROM ?? 1);

test(`${seeds} simulated clusters of peers lose nothing, act once, and never stand still`, async (t) => {
  const totals = await manyWorlds('peers', { from: first, seeds });
  t.diagnostic(JSON.stringify(Object.fromEntries(totals)));
  const total = (name: string): number => totals.get(name) ?? 0;
  // A world in which nothing happens would pass too.
  for (const name of ['restores', 'done', 'terms', 'commits', 'lives']) {
    assert.ok(total(name) >= seeds, `${name}: ${total(name)}`);
  }
  // Of few worlds some are calm.
  if (seeds >= 200) {
    assert.ok(total('faults') >= seeds / 2, 'faults');
    assert.ok(total('expired') >= seeds / 10, 'leases expire');
    assert.ok(total('renewed') >= seeds / 4, 'sources are removed and protected anew');
    assert.ok(total('quietLeaves') >= seeds / 2, 'quiet worlds store leaves');
  }
  const most = total('quietLeaves') / 20;
  assert.ok(total('quietDuplicates') <= most, `${total('quietDuplicates')} leaves stored twice`);
});

test('a seed of peers always tells the same story', async () => {
  const tell = async (): Promise<string[]> => {
    const story: string[] = [];
    await simulateCluster(9, (line) => story.push(line));
    return story;
  };
  assert.deepEqual(await tell(), await tell());
});
