import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled, testSeed } from '../../test/harness/seed.ts';
import { computeSlots, type SlotPeer, SlotTable, slotCount, slotOf } from './slot-table.ts';

const seed = testSeed(24);

function peersOf(count: number, weight: (i: number) => number = () => 1): SlotPeer[] {
  return Array.from({ length: count }, (_, i) => ({ name: `peer-${i}`, weight: weight(i) }));
}

function moved(before: SlotTable, after: SlotTable): number {
  let count = 0;
  for (let slot = 0; slot < slotCount; slot++) {
    if (before.ownerOf(slot) !== after.ownerOf(slot)) count++;
  }
  return count;
}

/** Each peer's slots relative to its fair share. */
function shares(table: SlotTable, peers: readonly SlotPeer[]): number[] {
  const total = peers.reduce((sum, { weight }) => sum + weight, 0);
  return peers.map(
    ({ name, weight }) => table.slotsOf(name).length / ((slotCount * weight) / total),
  );
}

test('a slot is the first twelve bits of a fingerprint', () => {
  assert.equal(slotOf(Uint8Array.of(0xab, 0xcd, 0xef)), 0xabc);
  assert.equal(slotOf(Uint8Array.of(9, 9, 0xff, 0xf0), 2), 4095);
});

test('from 1 to 100 peers nobody holds more than 1.10 nor less than 0.90 of the fair share', () => {
  let table = SlotTable.empty;
  for (let count = 1; count <= 100; count++) {
    const peers = peersOf(count);
    table = computeSlots(peers, table);
    const anew = count % 9 === 1 ? [computeSlots(peers, SlotTable.empty)] : [];
    for (const one of [table, ...anew]) {
      const all = shares(one, peers);
      assert.ok(Math.max(...all) <= 1.1, `${count} peers: ${Math.max(...all)}`);
      assert.ok(Math.min(...all) >= 0.9, `${count} peers: ${Math.min(...all)}`);
    }
  }
});

test('one more than ten peers moves at most 11 % of the slots, one less at most 12 %', () => {
  for (const previous of [SlotTable.empty, computeSlots(peersOf(7), SlotTable.empty)]) {
    const ten = computeSlots(peersOf(10), previous);
    const eleven = computeSlots(peersOf(11), ten);
    assert.ok(moved(ten, eleven) <= 0.11 * slotCount, `${moved(ten, eleven)} moved`);
    for (let gone = 0; gone < 10; gone++) {
      const left = peersOf(10).filter((_, i) => i !== gone);
      const nine = computeSlots(left, ten);
      assert.ok(moved(ten, nine) <= 0.12 * slotCount, `${moved(ten, nine)} moved`);
    }
  }
});

test('joining and leaving moves little at any number of peers', () => {
  for (let count = 1; count < 100; count += count < 24 ? 1 : 15) {
    const before = computeSlots(peersOf(count), SlotTable.empty);
    const after = computeSlots(peersOf(count + 1), before);
    const fair = slotCount / (count + 1);
    assert.ok(
      moved(before, after) <= fair * 1.1,
      `${count}: ${moved(before, after)}, fair ${fair}`,
    );
    const back = computeSlots(peersOf(count), after);
    assert.ok(moved(after, back) <= fair * 1.2, `${count}: ${moved(after, back)} of ${fair} back`);
  }
});

const peerSet = fc
  .uniqueArray(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 24 })
  .chain((numbers) =>
    fc.tuple(...numbers.map((n) => fc.record({ n: fc.constant(n), w: fc.constantFrom(1, 2, 5) }))),
  )
  .map((all) => all.map(({ n, w }): SlotPeer => ({ name: `peer-${n}`, weight: w })));

test('a slot changes its owner only when that one left, held too much, or another held too little', () => {
  const property = fc.property(fc.array(peerSet, { minLength: 2, maxLength: 4 }), (sets) => {
    let table = SlotTable.empty;
    for (const peers of sets) {
      const next = computeSlots(peers, table);
      const total = peers.reduce((sum, { weight }) => sum + weight, 0);
      const fair = new Map(peers.map(({ name, weight }) => [name, (slotCount * weight) / total]));
      for (let slot = 0; slot < slotCount; slot++) {
        const [from, to] = [table.ownerOf(slot), next.ownerOf(slot) as string];
        if (from === to || from === undefined || !fair.has(from)) continue;
        const heldTooMuch =
          table.slotsOf(from).length > Math.floor((fair.get(from) as number) * 1.05);
        const hadTooLittle = table.slotsOf(to).length < Math.ceil((fair.get(to) as number) * 0.95);
        assert.ok(heldTooMuch || hadTooLittle, `slot ${slot} from ${from} to ${to}`);
      }
      assert.ok(computeSlots([...peers].reverse(), next).equals(next), 'it stays as it is');
      table = next;
    }
  });
  fc.assert(property, { seed, numRuns: sampled(15) });
});

test('peers hold slots by their weight, and who weighs more takes over no more than that', () => {
  const property = fc.property(peerSet, peerSet, (before, peers) => {
    const table = computeSlots(peers, computeSlots(before, SlotTable.empty));
    for (const share of shares(table, peers)) assert.ok(share >= 0.9 && share <= 1.1, `${share}`);
  });
  fc.assert(property, { seed, numRuns: sampled(40) });
  const heavy = peersOf(3, (i) => (i === 0 ? 2 : 1));
  const table = computeSlots(heavy, computeSlots(peersOf(3), SlotTable.empty));
  assert.ok(Math.abs(table.slotsOf('peer-0').length - 2048) <= 103);
});

test('a peer that comes back soon takes mostly what it had', () => {
  const all = computeSlots(peersOf(5), SlotTable.empty);
  const without = computeSlots(peersOf(4), all);
  const again = computeSlots(peersOf(5), without);
  const before = new Set(all.slotsOf('peer-4'));
  const kept = again.slotsOf('peer-4').filter((slot) => before.has(slot)).length;
  assert.ok(kept >= before.size * 0.9, `${kept} of ${before.size}`);
});

test('without peers nobody owns anything, and the first one gets it all', () => {
  assert.equal(computeSlots([], computeSlots(peersOf(2), SlotTable.empty)).ownerOf(7), undefined);
  assert.equal(computeSlots(peersOf(1), SlotTable.empty).slotsOf('peer-0').length, slotCount);
});
