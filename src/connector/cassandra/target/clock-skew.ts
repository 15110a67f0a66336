// The clock of this machine beside those of the target's nodes: ours decides what has expired, theirs when it goes. One
// that is fast would leave out rows that live, and the proof, by the same clock, would find all well.
import type { Clock } from '../../../base/clock.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { CqlSession } from '../session/cql.ts';
import type { RingNode } from '../session/replica-placement.ts';

const skewMsMax = 5_000;
/** It is told from here on. */
const toldMs = 1_000;

/** As each node says it, up or not. Gives warnings. Errors: `target-unfit`, with both times. */
export async function lookAtClocks(
  cql: Pick<CqlSession, 'rows'>,
  nodes: readonly Pick<RingNode, 'address' | 'nativeAddress'>[],
  clock: Pick<Clock, 'now'>,
  signal: AbortSignal,
): Promise<string[]> {
  const told = await Promise.all(nodes.map((node) => timeOf(cql, node, clock, signal)));
  const warnings: string[] = [];
  for (const { address, theirs, ours, roundTripMs } of told) {
    if (theirs === undefined) {
      warnings.push(`${address} does not say what time it is: its clock is not compared`);
      continue;
    }
    const ahead = theirs - ours;
    // Its answer may be of any moment between question and answer.
    const sureMs = Math.abs(ahead) - roundTripMs / 2;
    if (sureMs > skewMsMax) throw apart(address, theirs, ours);
    if (sureMs <= toldMs) continue;
    const seconds = (Math.abs(ahead) / 1000).toFixed(1);
    const how = ahead > 0 ? 'ahead of' : 'behind';
    warnings.push(`the clock of ${address} is ${seconds} s ${how} that of this machine`);
  }
  return warnings;
}

async function timeOf(
  cql: Pick<CqlSession, 'rows'>,
  { address, nativeAddress: host }: Pick<RingNode, 'address' | 'nativeAddress'>,
  clock: Pick<Clock, 'now'>,
  signal: AbortSignal,
) {
  const query = 'SELECT toTimestamp(now()) AS now FROM system.local';
  const asked = clock.now();
  let theirs: number | undefined;
  try {
    const [row] = await cql.rows(query, { signal, host });
    theirs = row?.now instanceof Date ? row.now.getTime() : undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (!isCodrError(error)) throw error;
  }
  const answered = clock.now();
  return { address, theirs, ours: (asked + answered) / 2, roundTripMs: answered - asked };
}

function apart(address: string, theirs: number, ours: number): CodrError {
  const [node, here] = [theirs, ours].map((ms) => new Date(ms).toISOString());
  const message = `${address} says it is ${node}, by the clock of this machine it is ${here}`;
  return new CodrError('target-unfit', message, {
    object: address,
    remedy: 'set the clocks: they decide what has expired, and may be 5 s apart',
    facts: { target: node, here },
  });
}
