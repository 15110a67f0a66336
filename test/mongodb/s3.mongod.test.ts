// A repository in an S3 store, by the program as its users run it: over a network that fails, killed half-way,
// restored by another process that has nothing but the URL, the keys and the passphrase.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SeededRandom } from '../../src/base/random.ts';
import { startFaultyProxy } from '../harness/faulty-proxy.ts';
import { sharedS3 } from '../harness/s3.ts';
import { testSeed } from '../harness/seed.ts';
import { CodrProgram } from './codr-program.ts';
import { fill, rows } from './disturb.ts';
import { assertSame, look } from './oracle.ts';
import { World } from './world.ts';

const shared = sharedS3();
const random = new SeededRandom(testSeed(11));
let world: World;
before(async () => {
  world = await World.open();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

const inShop = (namespace: string): boolean => namespace.startsWith('shop.');

test('a repository in S3 is made, filled over a network that fails, checked and restored', async () => {
  const server = await shared();
  const bucket = await server.bucket();
  await using proxy = await startFaultyProxy(server.endpoint, random);
  const url = (endpoint: string): string => `s3://${bucket}/codr?endpoint=${endpoint}`;
  await fill(world.client, 'shop.orders', rows(3000));
  await using codr = await CodrProgram.at(url(proxy.endpoint));
  await codr.run('init');
  proxy.faults = {
    cutPerMille: 20,
    lostReplyPerMille: 40,
    cutReplyPerMille: 20,
    twicePerMille: 40,
    refusedPerMille: 40,
  };
  await codr.run('source', 'add', 'shop', world.source.uri, '--include', 'shop.*');
  const killed = codr.start('backup', 'shop');
  await killed.told('base copy');
  await killed.kill();
  await codr.run('backup', 'shop');
  await fill(world.client, 'shop.later', rows(500));
  await codr.run('backup', 'shop');
  await codr.run('check');
  for (const kind of ['lostReply', 'refused']) assert.ok(proxy.counts[kind], `no ${kind}`);
  // Another process, past the proxy, with nothing local.
  await using fresh = await CodrProgram.at(url(server.endpoint));
  const { json } = await fresh.run('restore', 'shop', '--to', world.target.uri);
  assert.deepEqual(
    json.datasets.map(({ from, proven }: { from: string; proven: boolean }) => [from, proven]),
    [
      ['shop.later', true],
      ['shop.orders', true],
    ],
  );
  assertSame(
    await look(world.targetClient, undefined, inShop),
    await look(world.client, undefined, inShop),
    'restored from S3',
  );
});

test('init on a repository that is there, a wrong passphrase and a bucket that is not there are named', async () => {
  const server = await shared();
  const bucket = await server.bucket();
  const url = `s3://${bucket}/codr?endpoint=${server.endpoint}`;
  await using codr = await CodrProgram.at(url);
  await codr.run('init');
  const again = await codr.tryRun('init');
  assert.equal(again.json.error.code, 'repository-exists');
  await using nowhere = await CodrProgram.at(`s3://no-such-bucket?endpoint=${server.endpoint}`);
  const missing = await nowhere.tryRun('init');
  assert.equal(missing.json.error.code, 'store-unreachable');
  assert.match(missing.json.error.message, /NoSuchBucket/);
  assert.doesNotMatch(JSON.stringify(missing), /codrsecret/);
});

test('of two repositories in one bucket, one inside the other, neither sees or harms the other', async () => {
  const server = await shared();
  const bucket = await server.bucket();
  // The worst place: where the outer one keeps its own packs.
  await using outer = await CodrProgram.at(`s3://${bucket}/?endpoint=${server.endpoint}`);
  await using inner = await CodrProgram.at(`s3://${bucket}/packs?endpoint=${server.endpoint}`);
  await fill(world.client, 'pair.orders', rows(1000));
  for (const codr of [outer, inner]) {
    await codr.run('init');
    await codr.run('source', 'add', 'pair', world.source.uri, '--include', 'pair.*');
    await codr.run('backup', 'pair');
  }
  for (const [gone, kept] of [
    [outer, inner],
    [inner, outer],
  ] as const) {
    await gone.run('source', 'remove', 'pair');
    await gone.run('collect');
    const { json } = await kept.run('check', '--read-data');
    assert.deepEqual(json.problems, []);
    assert.ok(json.packs > 0);
    if (gone === inner) break;
    await gone.run('source', 'add', 'pair', world.source.uri, '--include', 'pair.*');
    await gone.run('backup', 'pair');
  }
});
