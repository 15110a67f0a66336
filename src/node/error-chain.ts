// An error and what it came from, as sentences. Drivers wrap one failure several times over, and whoever
// translates an error quotes it: each sentence is told once.

const chainMax = 9;

/** One line for the error and for each of its causes that says more; nearest first. Not redacted. */
export function errorChain(thrown: unknown): string[] {
  const told: string[] = [];
  for (const one of [thrown, ...causesOf(thrown)]) {
    const line = oneLine(messageOf(one));
    if (!told.some((before) => before.includes(line))) told.push(line);
  }
  return told;
}

export function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.message === '' ? thrown.name : thrown.message;
}

export const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ').trim();

function causesOf(thrown: unknown): unknown[] {
  const causes: unknown[] = [];
  const waiting = [thrown];
  while (waiting.length > 0 && causes.length < chainMax) {
    const error = waiting.shift();
    if (!(error instanceof Error)) continue;
    const inner: unknown[] = error instanceof AggregateError ? [...error.errors] : [];
    if (error.cause !== undefined) inner.push(error.cause);
    causes.push(...inner);
    waiting.push(...inner);
  }
  return causes.slice(0, chainMax - 1);
}
