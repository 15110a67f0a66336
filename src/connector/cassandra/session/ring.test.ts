import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../../test/harness/manual-clock.ts';
import { type Ring, readSettledRing } from './ring.ts';

const ringOf = (...schemaVersions: string[]): Ring => ({
  clusterName: 'one',
  partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
  nodes: [],
  schemaVersions,
  version: '5.0.9',
  up: [],
});

test('nodes that disagree on the schema for a moment are asked again until they agree', async () => {
  const clock = new ManualClock({ jumps: true });
  const answers = [ringOf('a', 'b'), ringOf('a', 'b'), ringOf('b')];
  const read = async () => answers.shift() as Ring;
  const ring = await readSettledRing(read, clock, new AbortController().signal);
  assert.deepEqual(ring.schemaVersions, ['b']);
  assert.equal(clock.sleptMs.length, 2);
});

test('nodes that agree are asked once', async () => {
  const clock = new ManualClock({ jumps: true });
  await readSettledRing(async () => ringOf('a'), clock, new AbortController().signal);
  assert.deepEqual(clock.sleptMs, []);
});

test('a disagreement that stays is given back after ten seconds', async () => {
  const clock = new ManualClock({ jumps: true });
  const read = async () => ringOf('a', 'b');
  const ring = await readSettledRing(read, clock, new AbortController().signal);
  assert.deepEqual(ring.schemaVersions, ['a', 'b']);
  assert.equal(clock.monotonic(), 10_000);
});
