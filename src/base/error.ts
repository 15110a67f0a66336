// Expected failures: one class, one code from the catalogue. What, which object, what to do.
import { type ErrorCode, errorCatalogue } from './error-catalogue.ts';

export interface ErrorDetail {
  /** What the sentence is about: a namespace, an object name, a host. Never a secret. */
  readonly object?: string;
  /** What the user can do; overrides the catalogue's remedy. */
  readonly remedy?: string;
  readonly cause?: unknown;
  /** Facts for `--json` and logs. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** An expected failure with a code from the catalogue, from which its exit code follows. */
export class CodrError extends Error {
  override readonly name = 'CodrError';
  readonly code: ErrorCode;
  readonly object: string | undefined;
  readonly remedy: string;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.object = detail.object;
    this.remedy = detail.remedy ?? errorCatalogue[code].remedy;
    this.facts = detail.facts ?? {};
  }

  get exitCode(): number {
    return errorCatalogue[this.code].exit;
  }
}

export function isCodrError(error: unknown, code?: ErrorCode): error is CodrError {
  return error instanceof CodrError && (code === undefined || error.code === code);
}
