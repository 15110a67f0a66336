// Broken promises of our own code. Never used for what a user, a disk or a server can cause.

/** Thrown when CODR's own code breaks a promise: a defect to report, never an expected failure. */
export class BrokenPromiseError extends Error {
  override readonly name = 'BrokenPromiseError';
}

/** Throws {@link BrokenPromiseError} with `promise`, the sentence that should have been true. */
export function assert(condition: unknown, promise: string): asserts condition {
  if (!condition) throw new BrokenPromiseError(promise);
}
