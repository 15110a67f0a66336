import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellFlags } from '../record/record-layout.ts';
import { RowBuilder } from '../record/row-builder.ts';
import { RowReader } from '../record/row-reader.ts';
import { Deletion } from './deletion.ts';
import { RowMerger } from './reconcile.ts';

const { tombstone, expiring, empty, counter } = cellFlags;

interface Given {
  readonly flags?: number;
  readonly at?: number;
  readonly expiry?: number;
  readonly ttl?: number;
  readonly value?: readonly number[];
}

/** A row of one column, `v`. */
function row({ flags = 0, at = 7, expiry = 0, ttl = 0, value = [] }: Given): Buffer {
  const builder = new RowBuilder();
  builder.reset();
  builder.column(Buffer.from('v'), 0, 1);
  builder.cell(flags | (value.length === 0 ? empty : 0), 0, at, expiry, ttl);
  if (value.length > 0) builder.part(Uint8Array.from(value), 0, value.length);
  assert.ok(builder.finish());
  return Buffer.from(builder.bytes.subarray(0, builder.length));
}

function merged(rows: readonly Buffer[], enclosing = new Deletion()): Buffer | undefined {
  const merger = new RowMerger(0);
  merger.start(enclosing, false);
  for (const bytes of rows) merger.add(bytes, 0, bytes.length);
  if (!merger.finish()) return undefined;
  return Buffer.from(merger.builder.bytes.subarray(0, merger.builder.length));
}

/** The first wins, in either order. */
function wins(winner: Given, loser: Given): void {
  assert.deepEqual(merged([row(winner), row(loser)]), row(winner));
  assert.deepEqual(merged([row(loser), row(winner)]), row(winner));
}

test('a later tombstone or one of the same timestamp hides a value, an older one does not (G11)', () => {
  wins({ flags: tombstone, at: 8, expiry: 1 }, { value: [1] });
  wins({ flags: tombstone, expiry: 1 }, { value: [255] });
  wins({ value: [1] }, { flags: tombstone, at: 6, expiry: 9 });
});

test('of values of one timestamp the larger by unsigned bytes wins: -1 beats 9 (G12)', () => {
  wins({ value: [255, 255, 255, 255] }, { value: [0, 0, 0, 9] });
  wins({ value: [1, 0] }, { value: [1] });
  wins({ value: [0] }, {});
});

test('an expiring cell beats a plain one of its timestamp, a tombstone beats both (G13)', () => {
  wins({ flags: expiring, expiry: 100, ttl: 5, value: [1] }, { value: [9] });
  wins({ flags: tombstone, expiry: 1 }, { flags: expiring, expiry: 100, ttl: 5, value: [1] });
});

test('between expiring cells the later expiry decides, then the value, then the time to live', () => {
  const cell = { flags: expiring, expiry: 3_000_000_000, ttl: 5, value: [1] };
  wins(cell, { ...cell, expiry: 100, value: [9], ttl: 9 });
  wins({ ...cell, value: [2] }, { ...cell, ttl: 9 });
  wins({ ...cell, ttl: 6 }, cell);
});

test('a deletion takes what is as old as it, and not what is newer (G14)', () => {
  const enclosing = new Deletion();
  enclosing.set(0, 7, 1);
  assert.equal(merged([row({ value: [1] })], enclosing), undefined);
  assert.deepEqual(merged([row({ at: 8, value: [1] })], enclosing), row({ at: 8, value: [1] }));
});

type Shard = readonly ['global' | 'local' | 'remote', number, number, number];
/** A counter's value: shards of (kind, last byte of the id, clock, count). */
function context(shards: readonly Shard[]): number[] {
  const header = shards.flatMap(([kind], i) =>
    kind === 'remote' ? [] : [kind === 'global' ? 0x80 : 0, i],
  );
  const body = shards.flatMap(([, id, clock, count]) => {
    const bytes = Buffer.alloc(32);
    bytes[15] = id;
    bytes.writeBigInt64BE(BigInt(clock), 16);
    bytes.writeBigInt64BE(BigInt(count), 24);
    return [...bytes];
  });
  return [0, header.length / 2, ...header, ...body];
}
const counts = (at: number, ...shards: Shard[]): Buffer =>
  row({ flags: counter, at, value: context(shards) });

test('counters keep per node the shard of the highest clock, and the newest timestamp (G21)', () => {
  const a = counts(7, ['global', 1, 5, 50], ['global', 2, 3, -4]);
  const b = counts(9, ['global', 1, 4, 90], ['global', 3, 1, 1]);
  const c = counts(8, ['global', 2, 3, -2]);
  const all = counts(9, ['global', 1, 5, 50], ['global', 2, 3, -2], ['global', 3, 1, 1]);
  assert.deepEqual(merged([a, b, c]), all);
  assert.deepEqual(merged([c, b, a]), all);
  assert.deepEqual(merged([merged([a, c]) as Buffer, b]), all);
  assert.deepEqual(merged([all, all]), all);
});

test('a global shard beats a local one, that a remote one; two local ones add up (G21)', () => {
  const global = counts(7, ['global', 1, 1, 1]);
  const local = counts(7, ['local', 1, 2, 20]);
  const remote = counts(7, ['remote', 1, 9, 90]);
  assert.deepEqual(merged([remote, local]), local);
  assert.deepEqual(merged([local, remote, global]), global);
  const other = counts(7, ['local', 1, 3, 7], ['remote', 2, 1, 1]);
  assert.deepEqual(merged([local, other]), counts(7, ['local', 1, 5, 27], ['remote', 2, 1, 1]));
});

test('a deleted counter stays deleted by later increments (G21)', () => {
  const deleted = row({ flags: tombstone, at: 3, expiry: 1 });
  const increment = counts(9, ['global', 1, 5, 50]);
  assert.deepEqual(merged([increment, deleted]), deleted);
  assert.deepEqual(merged([deleted, increment, increment]), deleted);
});

test('a row without anything is no record; liveness alone is one (G17)', () => {
  const builder = new RowBuilder();
  builder.reset();
  assert.equal(builder.finish(), false);
  builder.timestamp(0, 5);
  assert.equal(builder.finish(), true);
  assert.deepEqual([...builder.bytes.subarray(0, builder.length)], [1, 0, 0, 0, 0, 0, 0, 0, 5]);
});

test('of livenesses with one timestamp and expiry the larger time to live is kept (G19)', () => {
  const live = (ttl: number): Buffer =>
    Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, ttl, 0, 0, 0, 100]);
  assert.deepEqual(merged([live(5), live(6)]), live(6));
  assert.deepEqual(merged([live(6), live(5)]), live(6));
});

test('a static row has no row deletion: one that is said all the same does nothing (G18)', () => {
  const cell = row({ value: [1] });
  const deletion = Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1]);
  const merger = new RowMerger(0);
  merger.start(new Deletion(), true);
  for (const bytes of [cell, deletion]) merger.add(bytes, 0, bytes.length);
  assert.ok(merger.finish());
  assert.deepEqual(merger.builder.bytes.subarray(0, merger.builder.length), cell);
});

test('of originals of equal clusterings the smaller is kept', () => {
  const original = (byte: number): Buffer => Buffer.from([9, 2, byte, 0, 0, 0, 0, 0, 0, 0, 5]);
  const merger = new RowMerger(1);
  for (const rows of [
    [original(3), original(2)],
    [original(2), original(3)],
  ]) {
    merger.start(new Deletion(), false);
    for (const bytes of rows) merger.add(bytes, 0, bytes.length);
    assert.ok(merger.finish());
    assert.deepEqual(merger.builder.bytes.subarray(0, merger.builder.length), original(2));
  }
});

test('a row that ends early or goes on too long is refused, not misread', () => {
  const bytes = row({ flags: expiring, expiry: 100, ttl: 5, value: [1, 2, 3] });
  const reader = new RowReader(0);
  for (let end = 2; end < bytes.length; end++) {
    assert.throws(() => reader.read(bytes.subarray(0, end), 0, end), {
      name: 'TruncatedBytesError',
    });
  }
  const longer = Buffer.concat([bytes, Buffer.from([0])]);
  assert.throws(() => reader.read(longer, 0, longer.length), { name: 'TruncatedBytesError' });
  reader.read(bytes, 0, bytes.length);
  assert.equal(reader.cellCount, 1);
});
