// A restore that ended in its target though nobody wrote that down: the process that ran it was lost in between. A target
// that is done with remembers no restore, so what it was is handed over before the target's marker goes. Whoever takes
// the restore over and finds no marker, but the data, ends with what the process before had proven.
import type { Call, RestoreResult } from '../../api/codr-api.ts';
import { planRestore } from '../../engine/restore/plan-restore.ts';
import type { RestoreOptions } from '../../engine/restore/restore.ts';
import type { SourceContext } from '../../engine/source-context.ts';
import { type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import { leaveWord } from './left-word.ts';

interface Finishing {
  readonly at: SourceTime;
  readonly result: RestoreResult;
}

interface FinishingText {
  readonly at: string;
  readonly result: RestoreResult;
}

/** Before the marker goes. Errors: those of {@link leaveWord}. */
export async function handOver(
  { world }: SourceContext,
  call: Call,
  { at, result }: Finishing,
): Promise<void> {
  await leaveWord(call, { at: timeToHex(at), result } satisfies FinishingText, world.log);
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
