import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectors } from '../connector/all.ts';
import type { StateView } from '../repository/lineage/state.ts';
import { connectorFor, sourceNamed } from './source-registry.ts';

test('a URI finds the connector of its scheme', () => {
  for (const uri of ['mongodb://h/', 'mongodb+srv://h/', 'MONGODB://h/']) {
    assert.equal(connectorFor(connectors, uri).kind, 'mongodb');
  }
});

test('what is no URI of a known database is refused with what one looks like, and is not shown', () => {
  const remedy = /^write mongodb:\/\/user@host1:port,host2:port\//;
  for (const [given, message] of [
    ['foo', 'what was given is no URI of a database that is known'],
    ['u:hunter2@db1', 'what was given is no URI of a database that is known'],
    ['', 'what was given is no URI of a database that is known'],
    ['postgres://u:hunter2@db1/', 'postgres:// is no URI of a database that is known'],
  ] as const) {
    assert.throws(() => connectorFor(connectors, given), { code: 'usage', message, remedy });
  }
});

test('a name that no source has is refused with those that there are', () => {
  const known = (...names: string[]): StateView => {
    const list = () => names.map((name) => [`${name}-id`, { name }]);
    return { list } as unknown as StateView;
  };
  assert.throws(() => sourceNamed(known('shop', 'ring'), 'shpo'), {
    code: 'source-unknown',
    remedy: 'there is ring, shop: see `codr source list`',
  });
  assert.throws(() => sourceNamed(known(), 'shop'), { remedy: 'see `codr source list`' });
});
