import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bounds, explore, rules } from './collection-model.ts';

/** `CODR_MODEL=full` visits every state of both large bounds. */
const full = process.env.CODR_MODEL === 'full';
const small: Bounds = { versionsPerWriter: 1, collectionCount: 1 };
const moreVersions: Bounds = { versionsPerWriter: 2, collectionCount: 1 };
const moreCollections: Bounds = { versionsPerWriter: 1, collectionCount: 2 };

for (const bounds of full ? [small, moreVersions, moreCollections] : [small]) {
  const { versionsPerWriter, collectionCount } = bounds;
  const size = `${versionsPerWriter} versions a writer and ${collectionCount} collections`;
  test(`with all rules no pack in use is lost, with ${size}`, (t) => {
    const { safe, states, counterExample } = explore([], bounds);
    t.diagnostic(`${states} states`);
    assert.ok(safe, counterExample?.join(' | '));
    assert.ok(states > 10_000, `${states} states`);
  });
}

for (const rule of rules) {
  test(`without the rule "${rule}" a pack in use is lost`, (t) => {
    const bounds = rule === 'before-barrier' ? moreVersions : small;
    const { safe, counterExample } = explore([rule], bounds);
    t.diagnostic(counterExample?.join(' | ') ?? 'none');
    assert.ok(!safe);
    assert.match(counterExample?.join(' ') ?? '', /deletes the pack|commits/);
  });
}
