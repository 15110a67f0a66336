// Data centres as the user maps them, and kinds that have none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDatacenters, refuseDatacenters } from './map-datacenters.ts';

test('a mapping names both data centres, and is counted once', () => {
  const wanted = [
    { from: 'dc1', to: 'east 1' },
    { from: 'dc1', to: 'west' },
  ];
  assert.deepEqual(parseDatacenters(['dc1=east 1', 'dc1 = west', 'dc1=east 1']), wanted);
  for (const odd of ['dc1', '=dc1', 'dc1=', 'a=b=c', '']) {
    assert.throws(() => parseDatacenters([odd]), { code: 'usage', object: odd });
  }
});

test('a kind without data centres refuses a mapping', () => {
  const kindWith = (datacenters?: true) => {
    const capabilities = { orderedLog: false, snapshotReads: false, ttlModes: [] };
    return { kind: 'some', capabilities: { ...capabilities, ...(datacenters && { datacenters }) } };
  };
  const mapped = parseDatacenters(['a=b']);
  refuseDatacenters(kindWith(true), mapped);
  refuseDatacenters(kindWith());
  assert.throws(() => refuseDatacenters(kindWith(), mapped), {
    code: 'usage',
    message: '--map-dc means nothing for some',
  });
});
