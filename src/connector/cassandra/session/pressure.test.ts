import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeStrain } from './control.ts';
import { ClusterPressure } from './pressure.ts';

const signal = new AbortController().signal;

/** Looks again and again at nodes that say this, one list a look; what came of each. */
async function looks(...said: readonly (readonly (NodeStrain | Error | undefined)[])[]) {
  const pressure = new ClusterPressure();
  const heard: (string | undefined)[] = [];
  for (const one of said) {
    const controls = one.map((strain, i) => ({
      address: `n${i + 1}`,
      ...(strain !== undefined && {
        strain: async () => {
          if (strain instanceof Error) throw strain;
          return strain;
        },
      }),
    }));
    heard.push(await pressure.look(controls, signal));
  }
  return heard;
}

const calm: NodeStrain = { waiting: 3, dropped: 7 };

test('requests that wait for threads are pressure, by the name of the node', async () => {
  assert.deepEqual(await looks([calm, { waiting: 31, dropped: 0 }]), [undefined]);
  const busy = { waiting: 32, dropped: 0 };
  assert.deepEqual(await looks([calm, busy]), ['32 requests wait for a thread of node n2']);
});

test('messages given up since the look before are pressure; those of before, and of another life, are not', async () => {
  const heard = await looks([calm], [{ ...calm, dropped: 9 }], [{ ...calm, dropped: 9 }], [calm]);
  const more = 'node n1 has given up 2 messages';
  assert.deepEqual(heard, [undefined, more, undefined, undefined]);
});

test('nodes that cannot tell, or do not answer, say nothing', async () => {
  assert.deepEqual(await looks([undefined, new Error('gone')]), [undefined]);
});
