// A restore that ended in its target though nobody wrote that down: the process that ran it was lost in between. A target
// that is done with remembers no restore, so what it was is handed over before the target's marker goes. Whoever takes
// the restore over and finds no marker, but the data, ends with what the process before had proven.
import type { Call, RestoreResult } from '../../api/codr-api.ts';
import { isCodrError } from '../../base/error.ts';
import { planRestore } from '../../engine/restore/plan-restore.ts';
import type { RestoreOptions } from '../../engine/restore/restore.ts';
import type { SourceContext } from '../../engine/source-context.ts';
import { type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';

interface Finishing {
  readonly at: SourceTime;
  readonly result: RestoreResult;
}

interface FinishingText {
  readonly at: string;
  readonly result: RestoreResult;
}

/**
 * Before the marker goes. Errors: `lease-lost`, when somebody else goes on with it: then its end is not this process's.
 * When it cannot be kept for another reason it is given up, and a takeover says less.
 */
export async function handOver(
  { world, name }: SourceContext,
  { handover, signal }: Call,
  { at, result }: Finishing,
): Promise<void> {
  try {
    await handover?.write({ at: timeToHex(at), result } satisfies FinishingText);
  } catch (error) {
    if (isCodrError(error, 'lease-lost')) throw error;
    signal.throwIfAborted();
    world.log.warn({ source: name, error }, 'nobody would learn that this restore has ended');
  }
}

/** What a process before this one finished, if the target shows it: no marker, and every name that got records. */
export async function finishedBefore(
  context: SourceContext,
  options: RestoreOptions,
  { handover, signal }: Call,
): Promise<RestoreResult | undefined> {
  const text = (await handover?.read()) as FinishingText | undefined;
  if (!text) return undefined;
  const { result } = text;
  const planned = await planRestore(context, { ...options, when: timeFromHex(text.at) }, signal);
  if (planned.resumes) return undefined;
  const standing = new Set([...planned.plan.conflicts, ...planned.plan.dropped]);
  if (result.datasets.some(({ to, records }) => records > 0 && !standing.has(to))) return undefined;
  const told =
    'a process that was lost had loaded and proven it, and ended it in the target: what it left out or renamed at ' +
    'the very end is not told here; see `codr verify --against`';
  return { ...result, warnings: [...result.warnings, told] };
}
