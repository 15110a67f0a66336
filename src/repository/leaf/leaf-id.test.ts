import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { toHex } from '../../base/bytes.ts';
import { leafIdOf } from './leaf-id.ts';

test('an id is SHA-256 over key, kind and SHA-256 of the blob', () => {
  const key = Buffer.alloc(32, 5);
  const blob = Buffer.from('some leaf');
  const inner = createHash('sha256').update(blob).digest();
  for (const [kind, byte] of [
    ['leaf', 1],
    ['node', 2],
    ['chunk', 3],
  ] as const) {
    const whole = createHash('sha256')
      .update(key)
      .update(Buffer.from([byte]))
      .update(inner);
    assert.equal(toHex(leafIdOf(key, kind, blob)), whole.digest('hex'));
  }
});

test('an id changes with the key, so that another repository names the same leaf otherwise', () => {
  const blob = Buffer.from('some leaf');
  const a = leafIdOf(Buffer.alloc(32, 1), 'leaf', blob);
  const b = leafIdOf(Buffer.alloc(32, 2), 'leaf', blob);
  assert.notEqual(toHex(a), toHex(b));
});
