import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulateCuts } from './cut-simulation.ts';
import { manyWorlds } from './many-worlds.ts';

/** One for each twenty of peers. `CODR_SEED_FROM` says where they begin. */
const seeds = Math.max(1, Math.round(Number(process.env.CODR_SEEDS ?? 2000) / 20));
const first = Number(process.env.CODR_SEED_FROM ?? 1);

test(`${seeds} simulated worlds of replicas give back what their cuts were given, and say what they lack`, async (t) => {
  const totals = await manyWorlds('cuts', { from: first, seeds });
  t.diagnostic(JSON.stringify(Object.fromEntries(totals)));
  // A world in which nothing happens would pass too; of few worlds some have no losses.
  const most = seeds < 20 ? ['cuts', 'restores', 'backups'] : [...totals.keys()];
  for (const name of most) assert.ok((totals.get(name) ?? 0) >= seeds / 50, name);
});

test('a seed of replicas always tells the same story', async () => {
  const tell = async (): Promise<string[]> => {
    const story: string[] = [];
    await simulateCuts(9, (line) => story.push(line));
    return story;
  };
  assert.deepEqual(await tell(), await tell());
});

test('a world that once gave back what was lost does so no longer', async () => {
  // A checkpoint's base copy was given up for nothing, though an addition that it was made of had gone before.
  await simulateCuts(144);
});
