// What a name in a store may be, held the same way by every store. Names come from our own code, never
// from a user, so a wrong one is a broken promise.
import { assert } from '../base/assert.ts';
import type { ByteRange } from './object-store.ts';

/** Limits that every store keeps: S3 allows 1,024 bytes a key, file systems 255 a part. */
const nameBytesMax = 1024;
const partBytesMax = 255;

/** Begins the names of files that are still being written. No object's part may begin so. */
export const temporaryPrefix = '.tmp-';

const partForm = /^[A-Za-z0-9._-]+$/;

/** True for what may stand between the slashes of a name. */
export function isNamePart(part: string): boolean {
  return (
    partForm.test(part) &&
    part.length <= partBytesMax &&
    part !== '.' &&
    part !== '..' &&
    !part.startsWith(temporaryPrefix)
  );
}

/** Throws `BrokenPromiseError` unless `name` can name an object. */
export function assertObjectName(name: string): void {
  const fine = name.length <= nameBytesMax && name.split('/').every(isNamePart);
  assert(fine, `"${name}" must be a name for an object`);
}

/** Throws `BrokenPromiseError` unless `prefix` is empty or a name followed by a slash. */
export function assertFolderPrefix(prefix: string): void {
  const fine = prefix === '' || prefix.slice(0, -1).split('/').every(isNamePart);
  assert(fine && (prefix === '' || prefix.endsWith('/')), `"${prefix}" must be a folder prefix`);
}

/** The part of an object of `size` bytes that `range` means; empty where it lies past the end. */
export function resolveRange(
  range: ByteRange | undefined,
  size: number,
): { readonly offset: number; readonly length: number } {
  if (!range) return { offset: 0, length: size };
  if ('suffix' in range) {
    assert(
      Number.isSafeInteger(range.suffix) && range.suffix >= 0,
      'a suffix must be a byte count',
    );
    const length = Math.min(range.suffix, size);
    return { offset: size - length, length };
  }
  const { offset, length } = range;
  assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset must be a byte count');
  assert(Number.isSafeInteger(length) && length >= 0, 'a length must be a byte count');
  const start = Math.min(offset, size);
  return { offset: start, length: Math.min(length, size - start) };
}

/** Bytes of a body given in parts. */
export function bodyBytes(body: readonly Uint8Array[]): number {
  return body.reduce((sum, part) => sum + part.length, 0);
}
