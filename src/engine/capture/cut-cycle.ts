// A backup of a source without an ordered log: one cut, or when following one after another until told to stop.
import { CodrError, isCodrError } from '../../base/error.ts';
import type { SourceSession } from '../../connector/connector.ts';
import { timeFromHex } from '../../model/time.ts';
import type { WriterClaim } from '../../repository/lineage/writer.ts';
import { ProgressMeter } from '../progress.ts';
import { describeTime } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';
import type { BackupOptions, BackupOutcome } from './backup.ts';
import { type TakenCut, takeCut } from './cut-backup.ts';

/** Cuts are flushes of every node: more often than this they cost the source more than they give. */
const rpoMsMin = 60_000;
const tendEveryMs = 60_000;

/** Errors: those of {@link takeCut}; while following, a cut that fails is told and taken again. */
export async function backupByCuts(
  context: SourceContext,
  options: BackupOptions,
  { session, claim }: { readonly session: SourceSession; readonly claim: WriterClaim },
  signal: AbortSignal,
): Promise<BackupOutcome> {
  const { clock, log } = context.world;
  const meter = new ProgressMeter(clock, options.listener);
  const cutOptions = { session, claim, meter, minGrade: options.minGrade };
  if (options.follow && options.rpoMs < rpoMsMin) {
    const [asked, least] = [options.rpoMs, rpoMsMin].map((ms) => ms / 1000);
    log.warn({ source: context.name }, `cuts are ${least} s apart at least, not ${asked} s`);
  }
  let taken = options.goesOn ? undefined : await takeCut(context, cutOptions, signal);
  for (let isFirst = !taken; options.follow; isFirst = false) {
    try {
      if (!isFirst) await waitForNext(context, { taken, meter, session, options }, signal);
      taken = await takeCut(context, cutOptions, signal);
    } catch (error) {
      if (signal.aborted) break;
      if (!isPassing(error)) throw error;
      log.error({ source: context.name, error: (error as Error).message }, 'the cut failed');
    }
  }
  if (taken) return outcomeOf(taken, meter);
  signal.throwIfAborted();
  throw new CodrError('failed', 'following ended without a cut');
}

interface Waiting {
  readonly taken: TakenCut | undefined;
  readonly meter: ProgressMeter;
  readonly session: SourceSession;
  readonly options: Pick<BackupOptions, 'rpoMs'>;
}

/** Meanwhile the source is looked after. */
async function waitForNext(
  { world: { clock, log }, name, connector }: SourceContext,
  { taken, meter, session, options }: Waiting,
  signal: AbortSignal,
): Promise<void> {
  meter.phase('waiting for the next cut');
  if (taken) meter.report(`newest cut ${describeTime(connector, timeFromHex(taken.point.time))}`);
  const waitMs = Math.max(options.rpoMs, rpoMsMin);
  const everyMs = session.tend ? tendEveryMs : waitMs;
  for (let leftMs = waitMs; leftMs > 0; leftMs -= everyMs) {
    await clock.sleep(Math.min(leftMs, everyMs), signal);
    if (leftMs <= everyMs) return;
    for (const { message, remedy } of (await session.tend?.(signal)) ?? []) {
      log.warn({ source: name, remedy }, message);
    }
  }
}

function isPassing(error: unknown): boolean {
  // Schema or ring may not rest for as long as an upgrade takes.
  const codes = ['source-unreachable', 'partial', 'busy'] as const;
  return codes.some((code) => isCodrError(error, code));
}

function outcomeOf({ point, report }: TakenCut, meter: ProgressMeter): BackupOutcome {
  const at = timeFromHex(point.time);
  return {
    point,
    interval: { from: at, to: at },
    records: meter.recordsAll,
    changes: 0,
    bytesRead: meter.bytesAll,
    bytesDeduplicated: meter.bytesDeduplicated,
    notes: report.notes,
    seconds: meter.seconds,
  };
}
