import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/random.ts';
import { packId } from '../../model/id.ts';
import type { PackRef } from '../pack/pack-format.ts';
import { LeafTable } from './leaf-table.ts';

const packOf = (n: number): PackRef => ({
  id: packId(String(n).padStart(64, '0')),
  kind: 'd',
  bytes: 1,
  leaves: 1,
});

/** `count` ids of 16 bytes, back to back, not aligned. */
function idsOf(count: number, seed: number): Buffer {
  return Buffer.from(new SeededRandom(seed).bytes(count * 16 + 1)).subarray(1);
}

test('what was added is found by its pack, however often the table grew; other ids are not', () => {
  const table = new LeafTable({ entriesMax: 100_000 });
  const ids = idsOf(20_000, 1);
  const numbers = [packOf(5), packOf(6)].map((pack) => table.numberOf(pack)) as [number, number];
  for (let i = 0; i < 20_000; i++)
    assert.ok(table.add(ids, i * 16, numbers[i % 2] as number, i * 3));
  assert.equal(table.size, 20_000);
  const leaves = new Uint32Array(20_000);
  const found = table.findAll(ids, Uint8Array.of(1, 1), leaves);
  assert.ok(leaves.every((leaf, i) => leaf === i * 3));
  assert.ok(found.every((pack, i) => pack === numbers[(i % 2) as 0 | 1]));
  assert.ok(table.findAll(idsOf(5000, 2), Uint8Array.of(1, 1)).every((pack) => pack === -1));
  assert.equal(table.pack(numbers[1]).id, packOf(6).id);
  assert.equal(table.numberOf(packOf(6)), numbers[1]);
});

test('an id in several packs is found in one that may be used, and counted once a pack', () => {
  const table = new LeafTable({ entriesMax: 10 });
  const ids = idsOf(1, 3);
  for (const n of [0, 1, 2, 1]) table.add(ids, 0, table.numberOf(packOf(n)), n);
  assert.equal(table.size, 3);
  assert.deepEqual([...table.findAll(ids, Uint8Array.of(0, 0, 1))], [2]);
  assert.deepEqual([...table.findAll(ids, Uint8Array.of(0, 1, 1))], [1]);
  assert.deepEqual([...table.findAll(ids, Uint8Array.of(0, 0, 0))], [-1]);
});

test('ids that differ in any of their 16 bytes are different ones', () => {
  const table = new LeafTable({ entriesMax: 100 });
  const id = idsOf(1, 4);
  table.add(id, 0, table.numberOf(packOf(1)), 0);
  for (let i = 0; i < 16; i++) {
    const other = Buffer.from(id);
    other[i] = (other[i] as number) ^ 1;
    assert.deepEqual([...table.findAll(other, Uint8Array.of(1))], [-1], `byte ${i}`);
  }
});

test('a full table says so and keeps what it has', () => {
  const table = new LeafTable({ entriesMax: 5 });
  const ids = idsOf(6, 5);
  const pack = table.numberOf(packOf(1));
  const added = Array.from({ length: 6 }, (_, i) => table.add(ids, i * 16, pack, i));
  assert.deepEqual(added, [true, true, true, true, true, false]);
  assert.ok(table.isFull);
  assert.deepEqual([...table.findAll(ids, Uint8Array.of(1))], [0, 0, 0, 0, 0, -1]);
});
