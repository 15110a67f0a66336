import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../base/error.ts';
import { decodeSlots, encodeSlots } from './slot-codec.ts';
import { computeSlots, SlotTable } from './slot-table.ts';

const epoch = { clusterId: 'c0ffee', revision: 12 };
const peers = (count: number, name = 'peer') =>
  Array.from({ length: count }, (_, i) => ({ name: `${name}-${i}`, weight: 1 }));

test('a table comes back as it was, also without peers', () => {
  for (const count of [0, 1, 3, 255]) {
    const table = computeSlots(peers(count), SlotTable.empty);
    const back = decodeSlots(encodeSlots({ epoch, table }));
    assert.deepEqual(back.epoch, epoch);
    assert.ok(back.table.equals(table), `${count} peers`);
  }
});

test('the largest table fits into a value of the coordinator', () => {
  const table = computeSlots(peers(255, 'n'.repeat(124)), SlotTable.empty);
  assert.ok(Buffer.byteLength(encodeSlots({ epoch, table })) <= 64 * 1024);
  const three = encodeSlots({ epoch, table: computeSlots(peers(3), SlotTable.empty) });
  assert.ok(three.length < 5600, `${three.length} bytes for three peers`);
});

test('a value that is no table of this format is refused, whatever is wrong with it', () => {
  const good = encodeSlots({ epoch, table: computeSlots(peers(2), SlotTable.empty) });
  const said = JSON.parse(good) as Record<string, unknown>;
  const bad: unknown[] = [
    7,
    null,
    { ...said, format: 2 },
    { ...said, epoch: { clusterId: 'c0ffee' } },
    { ...said, epoch: undefined },
    { ...said, peers: ['a', 'a'] },
    { ...said, peers: ['a', 1] },
    { ...said, peers: ['a'] },
    { ...said, owners: (said.owners as string).slice(8) },
    { ...said, owners: 3 },
  ];
  for (const value of [...bad.map((one) => JSON.stringify(one)), '', good.slice(1)]) {
    assert.throws(
      () => decodeSlots(value),
      (error) => isCodrError(error, 'format-unknown'),
      value,
    );
  }
});
