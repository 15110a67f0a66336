// The few calls of the operating system that the local store makes, as an argument, so that tests can
// let each of them fail; and what their errors mean to the store's callers.
import * as fs from 'node:fs/promises';
import { type CodrError, CodrError as Failure, isCodrError } from '../../base/error.ts';

export type FileSystem = Pick<
  typeof fs,
  'open' | 'opendir' | 'link' | 'unlink' | 'lstat' | 'mkdir' | 'readFile'
>;

export const nodeFileSystem: FileSystem = fs;

interface Lasting {
  /** In words. */
  readonly why: string;
  readonly remedy: string;
  /** It may be read all the same. */
  readonly refuses?: 'full' | 'rights';
}

const rights: Lasting = {
  why: 'not permitted',
  refuses: 'rights',
  remedy: 'give the user of this process rights on the folder',
};

/** What cannot be expected to pass by waiting a moment. */
const lasting: Readonly<Record<string, Lasting>> = {
  ENOSPC: {
    why: 'no space is left on the disk',
    refuses: 'full',
    remedy: 'free space on the disk; the work resumes',
  },
  EDQUOT: {
    why: 'the quota is used up',
    refuses: 'full',
    remedy: 'raise the quota or free space; the work resumes',
  },
  EROFS: {
    why: 'the file system is mounted read-only',
    refuses: 'rights',
    remedy: 'mount the file system writable; see why it was not (`dmesg`)',
  },
  EACCES: rights,
  EPERM: rights,
  EIO: { why: 'the disk fails', remedy: 'check the disk (`dmesg`)' },
  ENOENT: { why: 'it is not there', remedy: 'mount or restore the folder' },
  ENOTDIR: { why: 'it is no folder', remedy: 'give the path of a folder' },
  EFBIG: { why: 'the file is too large', remedy: 'raise the limit on the size of files' },
  ENAMETOOLONG: {
    why: 'the name is too long',
    remedy: 'choose a shorter path for the repository',
  },
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
  const known = lasting[code];
  const why = known ? `${known.why} (${code})` : code;
  const refuses = known?.refuses;
  return new Failure('store-unreachable', `cannot ${what} ${path}: ${why}`, {
    object: path,
    cause: error,
    facts: { systemCode: code, transient: known === undefined, ...(refuses && { refuses }) },
    ...(known && { remedy: known.remedy }),
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
    facts: { systemCode: code, transient: false, untilRestart: true },
    remedy: 'check the disk and its space, then start again',
  });
}
