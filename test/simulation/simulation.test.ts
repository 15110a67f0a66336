import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manyWorlds } from './many-worlds.ts';
import { simulate } from './simulation.ts';

/** Seven for each twenty of peers. `CODR_SEED_FROM` says where they begin. Thousands are for `npm run simulate`. */
const seeds = Math.round(Number(process.env.CODR_SEEDS ?? 2000) * 0.35);
const first = Number(process.env.CODR_SEED_FROM ?? 1);

test(`${seeds} simulated worlds lose nothing, promise nothing they cannot give, and never stand still`, async (t) => {
  const totals = await manyWorlds('logs', { from: first, seeds });
  t.diagnostic(JSON.stringify(Object.fromEntries(totals)));
  // A world in which nothing happens would pass too; of few worlds some have no faults.
  const most = seeds < 20 ? ['restores', 'backups', 'entries'] : [...totals.keys()];
  for (const name of most) assert.ok((totals.get(name) ?? 0) >= seeds / 50, name);
});

test('a seed always tells the same story', async () => {
  const tell = async (): Promise<string[]> => {
    const story: string[] = [];
    await simulate(7, (line) => story.push(line));
    return story;
  };
  assert.deepEqual(await tell(), await tell());
});
