import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLockedBucket } from '../../../test/harness/locked-bucket.ts';
import { SeededRandom } from '../../base/random.ts';
import type { StoreLack } from '../object-store.ts';
import { openS3 } from './open-s3.ts';

test('object lock is left alone: no request speaks of locks or versions, and all that was stored stays', async (t) => {
  const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
  const before = names.map((name) => process.env[name]);
  for (const name of names) process.env[name] = 'of a test';
  t.after(() => {
    for (const [i, name] of names.entries()) {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    }
  });
  await using bucket = await startLockedBucket();
  const lacks: StoreLack[] = [];
  const random = new SeededRandom(1);
  const store = await openS3(bucket.url, { random, onLack: (lack) => lacks.push(lack) });
  assert.equal(await store.create('a', [Buffer.from('kept')]), 'created');
  assert.equal(await store.create('a', [Buffer.from('other')]), 'exists');
  await store.remove('a');
  assert.equal(await store.stat('a'), undefined);
  assert.deepEqual(await Array.fromAsync(store.list('')), []);
  assert.equal(await store.create('a', [Buffer.from('again')]), 'created');
  assert.equal(String(Buffer.from(await store.get('a'))), 'again');
  const stored = bucket.versions.get('codr/a')?.map((version) => version && String(version));
  assert.deepEqual(stored, ['kept', undefined, 'again']);
  for (const { line, headers } of bucket.requests) {
    assert.doesNotMatch(line, /versionId|versions|object-lock|retention|legal-hold/);
    const spoken = headers.filter((name) => /object-lock|bypass|retention/.test(name));
    assert.deepEqual(spoken, [], line);
  }
  // A bucket with locks takes no object without its sum.
  const puts = bucket.requests.filter(({ line }) => line.startsWith('PUT '));
  assert.ok(puts.length > 2);
  for (const { headers } of puts) assert.ok(headers.includes('x-amz-checksum-crc32'));
  assert.deepEqual(
    lacks.map(({ consequence }) => /lifecycle rule/.test(consequence)),
    [true],
  );
});
