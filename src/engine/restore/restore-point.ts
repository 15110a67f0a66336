// Which moment a restore gives back, and the operation that its marker in the target names. `latest` is another
// moment by the time of the next try, so an unfinished restore to it goes on with the moment that it began with.
import { createHash } from 'node:crypto';
import { CodrError, isCodrError } from '../../base/error.ts';
import type {
  GivenName,
  RestoreTarget,
  TtlMode,
  UnfinishedRestore,
} from '../../connector/restore-target.ts';
import type { Rename, Scope } from '../../model/namespace.ts';
import { type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import {
  describeTime,
  type PointContext,
  parseWhen,
  type ResolvedPoint,
  resolvePoint,
} from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';
import { incompleteWarnings } from './incomplete-point.ts';
import type { PartsWish } from './restore-ranges.ts';

/** What the user asked for, as far as the same words mean the same restore. */
export interface RestoreWish {
  readonly when: SourceTime | 'latest';
  readonly scope: Scope;
  readonly renames: readonly Rename[];
  readonly drop: boolean;
  readonly ttl: TtlMode;
  /** Absent: all that is in scope. */
  readonly parts?: PartsWish;
  /** {@link TargetOptions.datacenters}; absent: each stays what it is. */
  readonly datacenters?: readonly GivenName[];
  /** Deletions are given back too; absent: what lives alone. */
  readonly keepsDeletions?: true;
}

export interface ChosenPoint {
  readonly point: ResolvedPoint;
  /** {@link TargetOptions.operation}. */
  readonly operation: string;
  /** An earlier run of the operation has not finished. */
  readonly resumes: boolean;
  /** When the first run of the operation began, ms since 1970: what is moved by it is moved alike by all. */
  readonly begunMs: number;
  /** When `latest` is therefore not the newest moment, and when the moment may lack writes. */
  readonly warnings: readonly string[];
}

/** A moment as asked for; what there is at a named one is known before the target is looked at. */
export interface AskedPoint {
  readonly at: SourceTime;
  readonly point?: ResolvedPoint;
}

/** Errors: `time-not-restorable`, `namespace-unknown`. */
export function askedPoint(context: SourceContext, { when, scope }: RestoreWish): AskedPoint {
  if (when === 'latest') return { at: parseWhen(pointContext(context), when) };
  return { at: when, point: resolvePoint(pointContext(context), when, scope) };
}

/** Errors: those of `resolvePoint`, and of the target. */
export async function choosePoint(
  context: SourceContext,
  wish: RestoreWish,
  { at: asked, point: named }: AskedPoint,
  target: Pick<RestoreTarget, 'unfinished'>,
  signal: AbortSignal,
): Promise<ChosenPoint> {
  const { when, scope } = wish;
  const nowMs = context.world.clock.now();
  const ofLatest = operationOf(context, wish, 'latest');
  const ofTime = operationOf(context, wish, timeToHex(asked));
  for (const operation of [ofLatest, ofTime]) {
    const begun = await target.unfinished(operation, signal);
    if (!begun) continue;
    const at = timeFromHex(begun.moment);
    // Who names the very moment goes on with the run that `latest` began, and the other way round.
    if (at !== asked && when !== 'latest') continue;
    const point = named ?? resolveBegun(context, { at, scope }, begun);
    const warnings = at === asked ? [] : [goesOn(context, { at, asked }, begun)];
    warnings.push(...incompleteWarnings(context, at));
    const begunMs = begun.begunMs ?? nowMs;
    return { point, operation, resumes: true, begunMs, warnings };
  }
  const point = named ?? resolvePoint(pointContext(context), asked, scope);
  const operation = when === 'latest' ? ofLatest : ofTime;
  const warnings = incompleteWarnings(context, point.at);
  return { point, operation, resumes: false, begunMs: nowMs, warnings };
}

/** The same command gives the same name, so that its marker lets it resume. */
function operationOf(
  { lineage }: SourceContext,
  { scope, renames, drop, ttl, parts, datacenters, keepsDeletions }: RestoreWish,
  when: string,
): string {
  const deletions = keepsDeletions && { keepsDeletions };
  const more = [parts, datacenters, deletions].filter((one) => one !== undefined);
  const wish = [scope, renames, drop, ttl, ...more];
  const words = [lineage.name, JSON.stringify(wish), when];
  return createHash('sha256').update(words.join('\n')).digest('hex').slice(0, 32);
}

/** What can no longer be given back must not be mixed with another moment: the user decides. */
function resolveBegun(
  context: SourceContext,
  { at, scope }: { readonly at: SourceTime; readonly scope: Scope },
  { marker }: UnfinishedRestore,
): ResolvedPoint {
  try {
    return resolvePoint(pointContext(context), at, scope);
  } catch (error) {
    if (!isCodrError(error, 'time-not-restorable')) throw error;
    const message = `the restore that ${marker} names cannot go on: ${error.message}`;
    throw new CodrError('time-not-restorable', message, {
      object: marker,
      remedy: `drop ${marker} and what was loaded in the target, then restore again`,
      facts: error.facts,
      cause: error,
    });
  }
}

function goesOn(
  { connector }: SourceContext,
  { at, asked }: { readonly at: SourceTime; readonly asked: SourceTime },
  { marker }: UnfinishedRestore,
): string {
  const [begun, newest] = [at, asked].map((time) => describeTime(connector, time));
  return (
    `an earlier run of this restore has not finished: this one goes on with its moment, ${begun}, and ` +
    `not with ${newest}; to begin anew, drop ${marker} and what was loaded in the target`
  );
}

function pointContext({ lineage, connector, scope }: SourceContext): PointContext {
  return { state: lineage.state, connector, scope };
}
