// Errors on their way between threads: a copy keeps neither class nor code, so they go as plain data and are made
// again on the other side.
import { CodrError } from './error.ts';
import type { ErrorCode } from './error-catalogue.ts';

/** `code` when it was a CodrError. */
export interface ThreadError {
  readonly message: string;
  readonly code?: ErrorCode;
  readonly object?: string;
  readonly remedy?: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** What can be sent of an error; of one that is no CodrError its stack is the message. */
export function packError(error: unknown): ThreadError {
  if (!(error instanceof Error)) return { message: String(error) };
  if (!(error instanceof CodrError)) return { message: error.stack ?? error.message };
  const { code, message, object, remedy, facts } = error;
  return { code, message, remedy, facts, ...(object && { object }) };
}

export function unpackError({ code, message, object, remedy, facts }: ThreadError): Error {
  if (!code) return new Error(message);
  const detail = { ...(object && { object }), ...(remedy && { remedy }), ...(facts && { facts }) };
  return new CodrError(code, message, detail);
}
