import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import {
  type FrameSeal,
  frameKinds,
  frameOverheadBytes,
  openFrame,
  sealFrame,
} from './frame-codec.ts';

const random = new SeededRandom(1);
const seal: FrameSeal = {
  key: random.bytes(32),
  repositoryId: random.bytes(16),
  salt: random.bytes(32),
  ordinal: 5,
  kind: frameKinds.blobs,
};
const isDamage = (error: unknown): boolean => isCodrError(error, 'object-damaged');

test('any bytes come back from a frame', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 2000 }),
      fc.integer({ min: 1, max: 3 }),
      (raw, level) => {
        const back = openFrame(sealFrame(raw, seal, level), seal, {
          rawLength: raw.length,
          object: 'x',
        });
        assert.deepEqual(Buffer.from(back), Buffer.from(raw));
      },
    ),
  );
});

test('bytes that do not shrink are stored raw, others compressed', () => {
  const noise = random.bytes(10_000);
  assert.equal(sealFrame(noise, seal, 3).length, noise.length + frameOverheadBytes);
  assert.ok(sealFrame(new Uint8Array(10_000), seal, 1).length < 200);
});

test('a frame opens only with its own key, repository, salt, ordinal, kind and length', () => {
  const raw = Buffer.from('some records');
  const stored = sealFrame(raw, seal, 1);
  const others: Partial<FrameSeal>[] = [
    { key: random.bytes(32) },
    { repositoryId: random.bytes(16) },
    { salt: random.bytes(32) },
    { ordinal: 6 },
    { kind: frameKinds.changes },
  ];
  const expected = { rawLength: raw.length, object: 'x' };
  for (const other of others) {
    assert.throws(() => openFrame(stored, { ...seal, ...other }, expected), isDamage);
  }
  assert.throws(
    () => openFrame(stored, seal, { ...expected, rawLength: raw.length + 1 }),
    isDamage,
  );
  assert.deepEqual(Buffer.from(openFrame(stored, seal, expected)), raw);
});

test('a flipped bit anywhere, or a missing end, is damage', () => {
  const raw = Buffer.from('some records, some records, some records');
  const stored = sealFrame(raw, seal, 1);
  const expected = { rawLength: raw.length, object: 'x' };
  for (let at = 0; at < stored.length; at++) {
    const flipped = Buffer.from(stored);
    flipped[at] = (flipped[at] as number) ^ 0x80;
    assert.throws(() => openFrame(flipped, seal, expected), isDamage, `byte ${at}`);
    assert.throws(() => openFrame(stored.subarray(0, at), seal, expected), isDamage, `cut ${at}`);
  }
});
