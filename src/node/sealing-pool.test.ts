import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../base/error.ts';
import { SeededRandom } from '../base/random.ts';
import { type FrameSeal, frameKinds } from '../repository/frame/frame-codec.ts';
import { InlineSealer, type Sealer } from '../repository/frame/sealer.ts';
import { SealingPool } from './sealing-pool.ts';

const random = new SeededRandom(1);
const options = { idKey: random.bytes(32), level: 1 };
const seal: FrameSeal = {
  key: random.bytes(32),
  repositoryId: random.bytes(16),
  salt: random.bytes(32),
  ordinal: 0,
  kind: frameKinds.blobs,
};

test('workers name, seal and open exactly as one thread does', async () => {
  await using pool = new SealingPool({ ...options, workers: 2 });
  const work = async (sealer: Sealer): Promise<Buffer[]> => {
    const source = new SeededRandom(2).bytes(5000);
    const lengths = [1000, 0, 4000];
    const batch = { kind: 'leaf', raw: new Uint8Array(source), lengths } as const;
    const { raw, ids } = await sealer.hash(batch);
    const stored = await sealer.seal(raw, seal);
    const request = { stored, seal, rawLength: 5000, object: 'x' };
    const back = await sealer.open(request);
    assert.deepEqual(Buffer.from(back), source);
    return [...ids, stored].map((bytes) => Buffer.from(bytes));
  };
  assert.deepEqual(await work(pool), await work(new InlineSealer(options)));
});

test('damage found by a worker rejects its own call with its code, and the next call works', async () => {
  await using pool = new SealingPool({ ...options, workers: 1 });
  const stored = await pool.seal(new Uint8Array(100), seal);
  const request = { stored, seal, rawLength: 100, object: 'packs/d/x' };
  const other = { ...request, seal: { ...seal, ordinal: 1 } };
  const [bad, good] = await Promise.allSettled([pool.open(other), pool.open(request)]);
  assert.ok(bad.status === 'rejected' && isCodrError(bad.reason, 'object-damaged'));
  assert.equal((bad.reason as { object?: string }).object, 'packs/d/x');
  assert.equal(good.status, 'fulfilled');
});

test('a closed pool rejects what it has not done', async () => {
  const pool = new SealingPool({ ...options, workers: 1 });
  const running = pool.seal(new Uint8Array(1 << 20), seal);
  running.catch(() => {});
  await pool[Symbol.asyncDispose]();
  await assert.rejects(running, /sealing worker ended/);
  await assert.rejects(pool.seal(new Uint8Array(10), seal), /sealing worker ended/);
});
