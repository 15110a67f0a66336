// Simulated worlds make errors by the thousand, for all that is refused, missing or lost, and nobody looks where they
// come from: a tenth of the time would go into noting it. CODR_STACK keeps it, for those who look at one seed.

/** Errors that are made meanwhile do not know where. */
export async function withoutStacks<T>(work: () => Promise<T>): Promise<T> {
  if (process.env.CODR_STACK) return await work();
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return await work();
  } finally {
    Error.stackTraceLimit = before;
  }
}
