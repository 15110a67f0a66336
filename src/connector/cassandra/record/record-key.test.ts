import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PartitionTracker, partitionEnd, recordKinds } from './record-key.ts';

const token = [0x80, 0, 0, 0, 0, 0, 0, 1];
const key = (...bytes: number[]): Uint8Array => Uint8Array.from([...token, ...bytes]);
const end = (bytes: Uint8Array): number => partitionEnd(bytes, 0, bytes.length);

test('a partition ends after the zero that ends its escaped key', () => {
  assert.equal(end(key(0x61, 0, 0x28)), 10);
  assert.equal(end(key(0, 0xfe, 0xff, 7, 0, 0xfe, 0x40, 0x40, 0, 0x38)), 14);
  assert.equal(end(key(0x40, 0, 0x20)), 10);
});

test('of a key that was cut the partition is 600 bytes and its token, whatever its hash holds', () => {
  const hash = new Array(32).fill(0).map((_, i) => (i % 2 === 0 ? 0 : 0x40));
  const cut = [...new Array(568).fill(0x40), ...hash];
  assert.equal(end(key(...cut, 0x18)), 608);
  const tame = [...new Array(568).fill(0x40), ...new Array(32).fill(0x11)];
  assert.equal(end(key(...tame, 0x40, 0x40, 0, 0x38)), 608);
});

test('an escaped key of 569 to 600 bytes is whole and ends by itself', () => {
  assert.equal(end(key(...new Array(590).fill(0x40), 0, 0x28)), 599);
});

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
