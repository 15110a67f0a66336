// The store against a real S3 server: bare, under all wrappers, and behind a proxy that fails.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3';
import { startFaultyProxy } from '../../../test/harness/faulty-proxy.ts';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { sharedS3 } from '../../../test/harness/s3.ts';
import { testSeed } from '../../../test/harness/seed.ts';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { objectStoreConformance } from '../conformance.ts';
import { LimitedObjectStore } from '../limited-object-store.ts';
import { MeteredObjectStore } from '../metered-object-store.ts';
import type { ObjectStore, StoreLack } from '../object-store.ts';
import { RetryingObjectStore } from '../retrying-object-store.ts';
import { openS3 } from './open-s3.ts';
import type { S3ObjectStore } from './s3-object-store.ts';

const shared = sharedS3();
const seed = testSeed(3);
let seeds = 0;
const random = (): SeededRandom => new SeededRandom(seed + seeds++);

async function bucketUrl(endpoint?: string): Promise<string> {
  const server = await shared();
  return `s3://${await server.bucket()}/some/prefix?endpoint=${endpoint ?? server.endpoint}`;
}

function wrapped(store: ObjectStore, attempts = 6): ObjectStore {
  const clock = new ManualClock({ jumps: true });
  const limited = new LimitedObjectStore(store, { clock, concurrency: 8, bytesPerSecond: 0 });
  const retrying = new RetryingObjectStore(limited, { clock, random: random(), attempts });
  return new MeteredObjectStore(retrying);
}

objectStoreConformance('S3', async () => ({
  store: await openS3(await bucketUrl(), { random: random() }),
  dispose: async () => {},
}));

objectStoreConformance('S3 under all wrappers', async () => ({
  store: wrapped(await openS3(await bucketUrl(), { random: random() })),
  dispose: async () => {},
}));

objectStoreConformance('S3 behind a network that fails', async () => {
  const proxy = await startFaultyProxy((await shared()).endpoint, random());
  proxy.faults = {
    cutPerMille: 30,
    lostReplyPerMille: 50,
    cutReplyPerMille: 30,
    twicePerMille: 50,
    refusedPerMille: 50,
    delayMsMax: 3,
  };
  const store = await openS3(await bucketUrl(proxy.endpoint), { random: random() });
  return {
    store: wrapped(store, 12),
    dispose: async () => await proxy[Symbol.asyncDispose](),
  };
});

test('the network of the suite did fail in each way', async () => {
  await using proxy = await startFaultyProxy((await shared()).endpoint, random());
  proxy.faults = { cutPerMille: 100, lostReplyPerMille: 100, refusedPerMille: 100 };
  const store = wrapped(await openS3(await bucketUrl(proxy.endpoint), { random: random() }), 20);
  for (let i = 0; i < 60; i++) {
    assert.equal(await store.create(`n/${i}`, [Buffer.from(`nonce ${i}`)]), 'created');
  }
  for (const kind of ['cut', 'lostReply', 'refused']) {
    assert.ok((proxy.counts[kind] ?? 0) > 0, `${kind} never happened`);
  }
  assert.equal((await Array.fromAsync(store.list('n/'))).length, 60);
});

test('a server that knows no conditions is unfit, and nothing is left in it', async () => {
  await using proxy = await startFaultyProxy((await shared()).endpoint, random());
  proxy.faults = { hidesConflicts: true };
  const store = await openS3(await bucketUrl(proxy.endpoint), { random: random() });
  await assert.rejects(
    () => store.create('object', []),
    (error) => isCodrError(error, 'store-unfit') && /If-None-Match/.test(error.message),
  );
  assert.deepEqual(await Array.fromAsync(store.list('')), []);
});

test('who leaves while the server is asked what it keeps does not end that for the others', async () => {
  const store = await openS3(await bucketUrl(), { random: random() });
  const stop = new AbortController();
  const left = store.create('left', [], stop.signal);
  const stayed = store.create('stayed', []);
  stop.abort(new Error('stopped by the test'));
  await assert.rejects(left, /stopped by the test/);
  assert.equal(await stayed, 'created');
  assert.equal(await store.stat('left'), undefined);
});

test('lists go on over pages, and foreign keys below the prefix are left out', async () => {
  const store = wrapped(await openS3(await bucketUrl(), { random: random() }));
  const names = Array.from({ length: 1203 }, (_, i) => `many/${i}`);
  for (let at = 0; at < names.length; at += 50) {
    await Promise.all(names.slice(at, at + 50).map((name) => store.create(name, [])));
  }
  const listed = await Array.fromAsync(store.list('many/'));
  assert.deepEqual(
    listed.map(({ name }) => name),
    names.sort(),
  );
});

test('two prefixes of one bucket do not see each other', async () => {
  const server = await shared();
  const bucket = await server.bucket();
  const at = (prefix: string) =>
    openS3(`s3://${bucket}/${prefix}?endpoint=${server.endpoint}`, { random: random() });
  const [a, ab, all] = [await at('a'), await at('ab'), await at('')];
  await a.create('one', []);
  await ab.create('two', []);
  assert.deepEqual(await a.listFolders(''), []);
  assert.deepEqual(
    (await Array.fromAsync(a.list(''))).map(({ name }) => name),
    ['one'],
  );
  assert.deepEqual(await all.listFolders(''), ['a', 'ab']);
});

/** A store in that bucket, and what it said it lacks. */
async function told(bucket: string): Promise<{ store: S3ObjectStore; lacks: StoreLack[] }> {
  const lacks: StoreLack[] = [];
  const url = `s3://${bucket}/codr?endpoint=${(await shared()).endpoint}`;
  const store = await openS3(url, { random: random(), onLack: (lack) => lacks.push(lack) });
  return { store, lacks };
}

test('what a server lacks is said once by name, with what follows from it', async () => {
  const server = await shared();
  const { store, lacks } = await told(await server.bucket());
  for (const name of ['a', 'b']) await store.create(name, []);
  const wrong = lacks.filter(({ what }) => /takes objects whose checksum is wrong/.test(what));
  assert.equal(wrong.length, server.keeps.checksChecksums ? 0 : 1);
  const unordered = lacks.filter(({ what }) => /lists objects by folder/.test(what));
  assert.equal(unordered.length, server.keeps.listsByName ? 0 : 1);
  assert.equal(lacks.length, wrong.length + unordered.length);
  for (const { consequence } of wrong) assert.match(consequence, /run verify/);
});

test('a bucket that keeps versions is used where conditions hold in it, and refused by name where not', async () => {
  const server = await shared();
  const { store, lacks } = await told(await server.bucket({ versioned: true }));
  if (!server.keeps.fitWithVersions) {
    await assert.rejects(
      () => store.create('object', []),
      (error) =>
        isCodrError(error, 'store-unfit') &&
        /If-None-Match|name of a removed object/.test(error.message) &&
        /without versioning/.test(error.remedy),
    );
    assert.deepEqual(await Array.fromAsync(store.list('')), []);
    return;
  }
  assert.equal(await store.create('object', [Buffer.from('first')]), 'created');
  assert.equal(await store.create('object', [Buffer.from('second')]), 'exists');
  await store.remove('object');
  assert.equal(await store.stat('object'), undefined);
  assert.deepEqual(await Array.fromAsync(store.list('')), []);
  assert.equal(await store.create('object', [Buffer.from('third')]), 'created');
  assert.equal(Buffer.from(await store.get('object')).toString(), 'third');
  const versions = lacks.filter(({ what }) => /keeps old versions/.test(what));
  assert.equal(versions.length, 1);
  assert.match(versions[0]?.consequence ?? '', /lifecycle/);
});

test('versions that are turned on under a running process are noticed with its next object', async () => {
  const server = await shared();
  const Bucket = await server.bucket();
  const { store, lacks } = await told(Bucket);
  await store.create('before', []);
  const VersioningConfiguration = { Status: 'Enabled' } as const;
  await server.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  const after = store.create('after', []);
  if (server.keeps.fitWithVersions) {
    assert.equal(await after, 'created');
    assert.ok(lacks.some(({ what }) => /keeps old versions/.test(what)));
  } else {
    await assert.rejects(after, (error) => isCodrError(error, 'store-unfit'));
    // It stays refused.
    await assert.rejects(
      () => store.create('more', []),
      (error) => isCodrError(error, 'store-unfit'),
    );
  }
});

test('object lock is left alone: what is removed is hidden, and its locked version stays', async () => {
  const server = await shared();
  const bucket = await server.bucket({ locked: true });
  const { store } = await told(bucket);
  if (!server.keeps.fitWithVersions) {
    await assert.rejects(
      () => store.create('locked', []),
      (error) => isCodrError(error, 'store-unfit'),
    );
    return;
  }
  await store.create('locked', [Buffer.from('kept')]);
  await store.remove('locked');
  assert.deepEqual(await Array.fromAsync(store.list('')), []);
  const Key = 'codr/locked';
  const answer = await server.client.send(
    new ListObjectVersionsCommand({ Bucket: bucket, Prefix: Key }),
  );
  const [version] = answer.Versions ?? [];
  assert.ok(version?.VersionId !== undefined, 'the version is there');
  const kept = { Bucket: bucket, Key, VersionId: version.VersionId };
  await assert.rejects(server.client.send(new DeleteObjectCommand(kept)), {
    name: 'AccessDenied',
  });
  const there = await server.client.send(new GetObjectCommand(kept));
  assert.equal(await there.Body?.transformToString(), 'kept');
});

test('wrong keys, a bucket that is not there and a server that is not there are told apart', async () => {
  const server = await shared();
  const missing = await openS3(`s3://nobody-made-me?endpoint=${server.endpoint}`, {
    random: random(),
  });
  await assert.rejects(
    () => missing.create('a', []),
    (error) =>
      isCodrError(error, 'store-unreachable') &&
      error.facts.transient === false &&
      /NoSuchBucket/.test(error.message),
  );
  const nowhere = await openS3('s3://bucket?endpoint=http://127.0.0.1:1', { random: random() });
  await assert.rejects(
    () => nowhere.create('a', []),
    (error) =>
      isCodrError(error, 'store-unreachable') &&
      error.facts.transient === true &&
      /ECONNREFUSED/.test(error.message),
  );
  process.env.AWS_SECRET_ACCESS_KEY = 'wrong-and-secret';
  try {
    const refused = await openS3(await wrongKeyUrl(), { random: random() });
    await assert.rejects(
      () => refused.create('a', []),
      (error) =>
        isCodrError(error, 'store-unreachable') &&
        error.facts.transient === false &&
        /AWS_SECRET_ACCESS_KEY/.test(error.remedy) &&
        !/wrong-and-secret/.test(`${error.message}${error.stack}`),
    );
  } finally {
    process.env.AWS_SECRET_ACCESS_KEY = 'codrsecret';
  }
});

async function wrongKeyUrl(): Promise<string> {
  return `s3://some-bucket?endpoint=${(await shared()).endpoint}`;
}
