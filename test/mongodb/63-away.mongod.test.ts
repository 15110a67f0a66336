// A single process whose store or source is away for a while: following goes on by itself when it is back.
import assert from 'node:assert/strict';
import { mkdir, readdir, rename, rmdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { ReplicaSet } from '../../src/node/demo/mongod-server.ts';
import { startReplicaSet } from '../harness/mongod.ts';
import { CodrProgram } from './codr-program.ts';

let source: ReplicaSet;
let codr: CodrProgram;
before(async () => {
  [source, codr] = await Promise.all([startReplicaSet(), CodrProgram.create()]);
  await insert();
  const uri = `${source.uri}&serverSelectionTimeoutMS=1000`;
  await codr.run('source', 'add', 'shop', uri, '--include', 'shop.*');
});
after(async () => {
  await codr?.[Symbol.asyncDispose]();
  await source?.stop();
});

async function insert(): Promise<void> {
  const { acknowledged } = await (await source.primaryClient())
    .db('shop')
    .collection('orders')
    .insertOne({ at: new Date() }, { writeConcern: { w: 'majority' } });
  assert.ok(acknowledged);
}

/** Until all that the source holds is in the newest point; one that is behind differs (exit code 6). */
async function caughtUp(): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const { code, json } = await codr.tryRun('verify', 'shop', '--against', source.uri);
    if (code === 0) return;
    assert.ok(code === 6 && performance.now() < deadline, JSON.stringify(json));
  }
}

test('a follower outlives a store that is unmounted, and nothing is written elsewhere', async () => {
  const following = codr.start('backup', 'shop', '--follow', '--rpo', '1s');
  await following.told('following');
  // The empty folder below a disk that is not mounted.
  const aside = `${codr.repository}-aside`;
  await rename(codr.repository, aside);
  await mkdir(codr.repository);
  await insert();
  const waits = await following.told('following waits');
  assert.deepEqual(await readdir(codr.repository), []);
  await rmdir(codr.repository);
  await rename(aside, codr.repository);
  await insert();
  await following.told('"phase":"following"', waits);
  await caughtUp();
  const { code, stderr } = await following.interrupt();
  assert.equal(code, 0);
  assert.equal(stderr.split('following waits').length - 1, 1, 'it is told once');
});

test('a source that is down is waited for with --follow, which goes on when it is back, and not without', async () => {
  await source.kill(0);
  const once = await codr.tryRun('backup', 'shop');
  assert.deepEqual([once.code, once.json.error.code], [9, 'source-unreachable']);
  const following = codr.start('backup', 'shop', '--follow', '--rpo', '1s');
  const waits = await following.told('following waits: 127.0.0.1');
  await source.restart(0);
  await insert();
  await following.told('"phase":"following"', waits);
  await caughtUp();
  assert.equal((await following.interrupt()).code, 0);
});

test('stopped while it waits it ends at once with 130 and says what for', async () => {
  await source.kill(0);
  const following = codr.start('backup', 'shop', '--follow');
  await following.told('following waits');
  const from = performance.now();
  const { code, json } = await following.interrupt();
  assert.deepEqual([code, json.error.code], [130, 'interrupted']);
  assert.match(json.error.causes.join(), /does not answer/);
  assert.ok(performance.now() - from < 5000, 'no try is waited for');
  await source.restart(0);
});
