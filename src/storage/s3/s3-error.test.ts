import assert from 'node:assert/strict';
import { test } from 'node:test';
import { s3Error } from './s3-error.ts';

test('a region that nothing names is a matter of the command, not of the store', () => {
  const { code, remedy } = s3Error(new Error('Region is missing'), 'look at', 's3://b/x');
  assert.equal(code, 'usage');
  assert.match(remedy, /"region" in the URL .* AWS_REGION/);
});

test('what no waiting changes says what to do, all else may pass', () => {
  const lasting = Object.assign(new Error('no such bucket'), { name: 'NoSuchBucket' });
  const failed = s3Error(lasting, 'list', 's3://b/x');
  assert.equal(failed.code, 'store-unreachable');
  assert.equal(failed.message, 'cannot list s3://b/x: NoSuchBucket: no such bucket');
  assert.equal(failed.facts.transient, false);
  const passing = s3Error(Object.assign(new Error(''), { code: 'ECONNRESET' }), 'list', 's3://b/x');
  assert.equal(passing.facts.transient, true);
  const name = 'BadDigest';
  const answer = Object.assign(new Error(''), { name, $metadata: { httpStatusCode: 400 } });
  assert.equal(s3Error(answer, 'write', 's3://b/x').facts.transient, true, 'damaged on its way');
  const absent = s3Error(Object.assign(new Error(''), { code: 'ECONNREFUSED' }), 'list', 's3://b');
  assert.equal(absent.facts.transient, true);
  assert.match(absent.remedy, /^check the endpoint/);
});
