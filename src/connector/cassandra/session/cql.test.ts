import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errors } from 'cassandra-driver';
import { CodrError } from '../../../base/error.ts';
import { translated } from './cql.ts';

const none = (inner: Error) => new errors.NoHostAvailableError({ '10.0.0.1:9042': inner });

test('that no node answers is told by the first of them, once', () => {
  const refused = new Error('connect ECONNREFUSED 10.0.0.1:9042');
  const error = translated(none(refused), '10.0.0.1:9042') as CodrError;
  assert.equal(error.code, 'source-unreachable');
  assert.equal(error.message, `10.0.0.1:9042: no node answers: ${refused.message}`);
  assert.equal(error.cause, refused);
  const target = translated(none(refused), '10.0.0.1:9042', 'target') as CodrError;
  assert.deepEqual([target.code, target.remedy], ['target-unfit', error.remedy]);
});

test('a login that is refused says where user and password stand, on both sides', () => {
  const refused = new errors.AuthenticationError('bad credentials');
  for (const side of ['source', 'target'] as const) {
    for (const thrown of [refused, none(refused)]) {
      const error = translated(thrown, 'c1', side);
      assert.ok(error instanceof CodrError);
      assert.equal(error.code, `${side}-rights`);
      assert.match(error.remedy, /username and its password/);
    }
  }
});
