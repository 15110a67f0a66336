import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PartitionTracker, recordKinds } from './record-key.ts';

const token = [0x80, 0, 0, 0, 0, 0, 0, 1];
const key = (...bytes: number[]): Uint8Array => Uint8Array.from([...token, ...bytes]);
test('the tracker tells partitions apart and names the kind of each record', () => {
  const tracker = new PartitionTracker();
  const seen = [
    key(0x61, 0, 0x20),
    key(0x61, 0, 0x28),
    key(0x61, 0, 0x40, 0x40, 1, 0x20),
    key(0x61, 0, 0x40, 0x40, 1, 0x38),
    key(0x61, 0x61, 0, 0x28),
  ].map((bytes) => [tracker.enter(bytes, 0, bytes.length), tracker.kind(bytes, 0, bytes.length)]);
  assert.deepEqual(seen, [
    [true, recordKinds.partitionDeletion],
    [false, recordKinds.static],
    [false, recordKinds.marker],
    [false, recordKinds.row],
    [true, recordKinds.static],
  ]);
});

test('the hash in a cut key is never taken for an end and a kind', () => {
  const hash = new Array(32).fill(0).map((_, i) => (i % 2 === 0 ? 0 : 0x28));
  const bytes = key(...new Array(568).fill(0x40), ...hash, 0x40, 0x40, 1, 0x38);
  const tracker = new PartitionTracker();
  assert.equal(tracker.enter(bytes, 0, bytes.length), true);
  assert.equal(tracker.partition.length, 608);
  assert.equal(tracker.kind(bytes, 0, bytes.length), recordKinds.row);
});
