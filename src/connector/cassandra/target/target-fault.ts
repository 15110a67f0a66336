// Faults of nodes and files, as faults of a target: what the session's modules call a source is one here.
import { CodrError, isCodrError } from '../../../base/error.ts';

/** Runs work on the target; its errors get the codes of a target, and name the same object. */
export async function onTarget<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asTarget(error);
  }
}

export function asTarget(error: unknown): unknown {
  if (!isCodrError(error) || !/^(source-|file-damaged)/.test(error.code)) return error;
  const code = error.code === 'source-rights' ? 'target-rights' : 'target-unfit';
  return new CodrError(code, error.message, {
    ...(error.object !== undefined && { object: error.object }),
    remedy: error.remedy,
    facts: error.facts,
    cause: error,
  });
}

/** As {@link asTarget}, of what is read back. */
export function asProof(error: unknown): unknown {
  if (!isCodrError(error, 'file-damaged')) return asTarget(error);
  return damagedThere(error, error.object);
}

/**
 * A file of the target that is damaged is not what was loaded: the proof has failed, so the table is made anew by the same
 * command, which would else find the file again.
 */
export function damagedThere(cause: CodrError, object: string | undefined): CodrError {
  const { message, facts } = cause;
  return new CodrError('proof-failed', message, {
    ...(object !== undefined && { object }),
    remedy: 'look after the disk of that node; the same command makes the table anew',
    facts,
    cause,
  });
}

/** A file that cannot be made, with the node it is of. */
export function fileFault(address: string, path: string, cause: unknown): CodrError {
  if (isCodrError(cause)) return asTarget(cause) as CodrError;
  const { code, message } = cause as NodeJS.ErrnoException;
  const rights = code === 'EACCES' || code === 'EPERM';
  const text = `${address}: ${path} cannot be written: ${code ?? message}`;
  return new CodrError(rights ? 'target-rights' : 'target-unfit', text, {
    object: path,
    remedy: rights
      ? "run as the server's user"
      : 'free space, or correct dataDirectories and paths',
    cause,
  });
}
