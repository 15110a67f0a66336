import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { startLockedBucket } from '../../../test/harness/locked-bucket.ts';
import { SeededRandom } from '../../base/random.ts';
import type { StoreLack } from '../object-store.ts';
import { openS3 } from './open-s3.ts';

test('object lock is left alone: no request speaks of locks or versions, and all that was stored stays', async (t) => {
  withCredentials(t);
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

test('an answer that is no page of a list, or more than was asked for, is an error and not a short list or damage', async (t) => {
  withCredentials(t);
  let answer = '';
  const server = createServer((_, response) => void response.end(answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const url = `s3://bucket?endpoint=http://127.0.0.1:${port}`;
  const store = await openS3(url, { random: new SeededRandom(1) });
  const page = (text: string): string => `<ListBucketResult>${text}</ListBucketResult>`;
  const key = '<Contents><Key>packs/a</Key><Size>1</Size></Contents>';
  const next = '<NextContinuationToken>same</NextContinuationToken>';
  for (const wrong of [
    '',
    page(key),
    page(`<IsTruncated>true</IsTruncated>${key}`),
    // Of each page the next one is the same.
    page(`<IsTruncated>true</IsTruncated>${next}`),
  ]) {
    answer = wrong;
    await assert.rejects(Array.fromAsync(store.list('packs/')), { code: 'store-unreachable' });
    await assert.rejects(store.listFolders(''), { code: 'store-unreachable' });
  }
  answer = page(`<IsTruncated>false</IsTruncated>${key}`);
  assert.equal((await Array.fromAsync(store.list('packs/'))).length, 1);
  await assert.rejects(store.get('packs/a', { offset: 0, length: 4 }), {
    code: 'store-unreachable',
  });
});

function withCredentials(t: TestContext): void {
  const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
  const before = names.map((name) => process.env[name]);
  for (const name of names) process.env[name] = 'of a test';
  t.after(() => {
    for (const [i, name] of names.entries()) {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    }
  });
}
