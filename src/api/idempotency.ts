// Idempotency keys: what one may be, and when two requests that come with it are the same.
import { createHash } from 'node:crypto';
import { CodrError } from '../base/error.ts';

const lengthMax = 128;

/** Errors: `usage`. */
export function checkIdempotencyKey(key: string): void {
  if (key !== '' && key.length <= lengthMax) return;
  throw new CodrError('usage', `an idempotency key has 1 to ${lengthMax} characters`);
}

/** `operation`: the one that the key has made. */
export function keyUsedBefore(operation: string): CodrError {
  return new CodrError('usage', 'the idempotency key was used for another request', {
    object: operation,
    remedy: 'give each request a key of its own',
  });
}

/** Equal for equal values, in whatever order their fields come; absent fields count as undefined. */
export function requestHash(value: unknown): string {
  return createHash('sha256').update(canonicalText(value)).digest('hex').slice(0, 32);
}

function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
