import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeSlots, type KeyChange } from './slot-terms.ts';

const leads = (created: number, revision = created): KeyChange => ({
  ...{ key: '/codr/1/keys/coordinator', created, revision, value: 'n1' },
});
const goes = (revision: number): KeyChange => ({ key: '/codr/1/keys/coordinator', revision });
const slots = (term: number, revision: number): KeyChange => ({
  ...{ key: '/codr/1/keys/slots', created: 3, revision },
  value: JSON.stringify({ epoch: { clusterId: 'a', revision: term } }),
});

test('tables that each leader writes in its own term are as they should be', () => {
  const all = [leads(2), slots(2, 3), leads(2, 4), slots(2, 5), goes(6), leads(8), slots(8, 9)];
  assert.equal(judgeSlots(all), 3);
});

test('a table of a term that is over, of another one, or of none is found', () => {
  assert.throws(() => judgeSlots([leads(2), goes(3), slots(2, 4)]), /term 2 at 4, when nobody/);
  assert.throws(() => judgeSlots([leads(2), goes(3), leads(4), slots(2, 5)]), /when term 4 leads/);
  assert.throws(() => judgeSlots([leads(2), slots(7, 3)]), /term 7 at 3/);
  assert.throws(() => judgeSlots([slots(2, 3)]), /when nobody leads/);
});
