// Whole bodies to and from open files, in steps that an abort can end between.
import type { FileHandle } from 'node:fs/promises';
import { CodrError } from '../../base/error.ts';

/** Bytes and buffers handed to the system at once. IOV_MAX is 1,024 on Linux. */
const stepBytesMax = 8 * 1024 * 1024;
const stepPartsMax = 512;

/** Writes all of `body` at the start of `file`. */
export async function writeFully(
  file: FileHandle,
  body: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<void> {
  const rest = body.filter((part) => part.length > 0);
  let position = 0;
  for (let first = 0; first < rest.length; ) {
    signal?.throwIfAborted();
    const step = nextStep(rest, first);
    let { bytesWritten } = await file.writev(step, position);
    if (bytesWritten === 0) {
      throw new CodrError('store-unreachable', `a file took no more bytes after ${position}`);
    }
    position += bytesWritten;
    // A disk that fills up takes part of a step; the rest is offered again and gets the error.
    for (; first < rest.length; first++) {
      const part = rest[first] as Uint8Array;
      if (bytesWritten < part.length) {
        rest[first] = part.subarray(bytesWritten);
        break;
      }
      bytesWritten -= part.length;
    }
  }
}

/** Parts from index `first` on, at least one, cut to the limits. */
function nextStep(parts: readonly Uint8Array[], first: number): Uint8Array[] {
  const step: Uint8Array[] = [];
  let room = stepBytesMax;
  for (let i = first; i < parts.length && room > 0 && step.length < stepPartsMax; i++) {
    const part = parts[i] as Uint8Array;
    step.push(part.length > room ? part.subarray(0, room) : part);
    room -= part.length;
  }
  return step;
}

/** `length` bytes at `offset`, in memory of their own. The range must lie within the file. */
export async function readFully(
  file: FileHandle,
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) {
    signal?.throwIfAborted();
    const count = Math.min(stepBytesMax, length - done);
    const { bytesRead } = await file.read(bytes, done, count, offset + done);
    if (bytesRead === 0) {
      throw new CodrError(
        'store-unreachable',
        `a file ended at byte ${offset + done} while being read`,
      );
    }
    done += bytesRead;
  }
  return bytes;
}
