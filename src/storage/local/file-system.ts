// The few calls of the operating system that the local store makes, as an argument, so that tests can
// let each of them fail; and what their errors mean to the store's callers.
import * as fs from 'node:fs/promises';
import { type CodrError, CodrError as Failure, isCodrError } from '../../base/error.ts';

export type FileSystem = Pick<
  typeof fs,
  'open' | 'opendir' | 'link' | 'unlink' | 'lstat' | 'mkdir' | 'readFile'
>;

export const nodeFileSystem: FileSystem = fs;

/** What cannot be expected to pass by waiting a moment; the last column tells people what to do. */
const lasting: Readonly<Record<string, string>> = {
  ENOSPC: 'free space on the disk; the work resumes',
  EDQUOT: 'raise the quota or free space; the work resumes',
  EROFS: 'mount the file system writable',
  EACCES: 'give the user of this process rights on the folder',
  EPERM: 'give the user of this process rights on the folder',
  EIO: 'check the disk',
  ENOENT: 'mount or restore the folder',
  ENOTDIR: 'give the path of a folder',
  EFBIG: 'raise the limit on the size of files',
  ENAMETOOLONG: 'choose a shorter path for the repository',
};

/** The system's name of an error (`ENOENT`), or undefined when it is none of the system's. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/**
 * `store-unreachable` with the cause. `facts.transient` is false where trying again is of no use.
 * Errors that already have a code, and those that are not the system's, pass untouched.
 */
export function storeError(error: unknown, what: string, path: string): unknown {
  const code = systemCode(error);
  if (isCodrError(error) || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  const remedy = lasting[code];
  return new Failure('store-unreachable', `cannot ${what} ${path}: ${code}`, {
    object: path,
    cause: error,
    facts: { systemCode: code, transient: remedy === undefined },
    ...(remedy !== undefined && { remedy }),
  });
}

/** `store-unfit`: the file system lacks a promise. */
export function unfitError(error: unknown, promise: string, path: string): CodrError {
  return new Failure('store-unfit', `${path}: the file system cannot ${promise}`, {
    object: path,
    cause: error,
    remedy: 'use a local disk, or a network file system that supports it (NFS 4, CephFS)',
  });
}

/** `store-unreachable`, for good: whether the entries of `folder` outlive a power loss is not known. */
export function notDurableError(error: unknown, folder: string): CodrError {
  const code = systemCode(error) ?? 'unknown error';
  return new Failure('store-unreachable', `cannot make ${folder} durable: ${code}`, {
    object: folder,
    cause: error,
    facts: { systemCode: code, transient: false },
    remedy: 'check the disk and its space, then start again',
  });
}
