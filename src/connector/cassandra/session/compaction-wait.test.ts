import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../../test/harness/manual-clock.ts';
import { CodrError } from '../../../base/error.ts';
import { waitForCompactions } from './compaction-wait.ts';
import type { NodeControl } from './control.ts';

/** A node that tells these counts one after another, the last for ever; none: it does not answer. */
function nodeOf(address: string, ...counts: number[]) {
  const pendingCompactions = async () => {
    const [count] = counts.length > 1 ? counts.splice(0, 1) : counts;
    if (count === undefined) throw new CodrError('source-unreachable', 'away');
    return count;
  };
  return { address, control: { pendingCompactions } as unknown as NodeControl };
}

async function waited(...nodes: ReturnType<typeof nodeOf>[]) {
  const clock = new ManualClock({ jumps: true });
  const told: string[] = [];
  const { signal } = new AbortController();
  const tell = (what: string) => void told.push(what);
  const notes = await waitForCompactions({ nodes, most: 10, clock, signal, tell });
  return { notes, told, ms: clock.monotonic() };
}

test('a cut waits until no node has more compactions ahead than it may, and says for whom', async () => {
  const { notes, told, ms } = await waited(nodeOf('a', 10), nodeOf('b', 12, 11, 10));
  assert.deepEqual([notes, told], [[], ['waiting for compactions at b']]);
  assert.equal(ms, 10_000);
});

test('a node that does not answer is not waited for', async () => {
  assert.deepEqual(await waited(nodeOf('a')), { notes: [], told: [], ms: 0 });
});

test('after five minutes the cut is taken all the same, with a note', async () => {
  const { notes, ms } = await waited(nodeOf('a', 134));
  assert.match(notes[0] ?? '', /node a had 134 compactions ahead, more than 10/);
  assert.equal(ms, 300_000);
});
