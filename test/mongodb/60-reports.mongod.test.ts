// What CODR says about a source in numbers (lag, counts, bytes, headroom) is held against the server and the
// folder.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fill, rows } from './disturb.ts';
import { World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

test('the recovery point objective holds on a source to which nobody writes', async () => {
  await fill(world.client, 'n60a.a', rows(10));
  const one = await world.protect('n60a');
  const lags: number[] = [];
  await one.following(
    async () => {
      await using node = await world.node();
      await sleep(1500);
      // The server's own no-ops come every 10 s: too seldom for this.
      for (let i = 0; i < 12; i++) {
        await sleep(500);
        const { intervals } = await node.points({ source: 'n60a' });
        lags.push(Date.now() - Date.parse(intervals.at(-1)?.to.wall ?? ''));
      }
    },
    { rpoSeconds: 1 },
  );
  // Times of the log are whole seconds, so up to one of them is no lag at all.
  assert.ok(Math.max(...lags) < 3500, `lags of ${lags.join(', ')} ms`);
});
