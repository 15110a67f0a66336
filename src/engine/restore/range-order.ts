// A range of a restore as an order to another peer, and what comes back. The peer opens the same point and the
// same target, and keeps both open from one order to the next; it never writes the target's marker.
import { assert } from '../../base/assert.ts';
import { fromBase64, toBase64 } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import { Throttle } from '../../base/throttle.ts';
import type { WorkContext, WorkOrder } from '../../cluster/work-pool.ts';
import type { LiveForm, SourceConfig } from '../../connector/connector.ts';
import type { RestoreTarget, TargetOptions } from '../../connector/restore-target.ts';
import type { KeyRange } from '../../model/key-range.ts';
import { renamed } from '../../model/namespace.ts';
import { timeFromHex, timeToHex } from '../../model/time.ts';
import type { LeafSource } from '../../repository/leaf/leaf-store.ts';
import { decodeTreePart, encodeTreePart } from '../../repository/tree/tree-part.ts';
import { OpenedRuns } from '../read/fold.ts';
import { resolvePoint } from '../read/point.ts';
import { connectorContext, type SourceContext } from '../source-context.ts';
import { type OpenedHere, seenHere } from '../work/opened-here.ts';
import { type RangeText, rangeFromText, rangeToText } from '../work/range-text.ts';
import {
  type RangeContext,
  type RangeOperation,
  type RangeResult,
  type RestoreItem,
  runRange,
} from './range-work.ts';
import { type PartsWish, wantedParts } from './restore-ranges.ts';

/** Apart, since a version that does not know how to prove a range, or keeps to no rate, would take the order for another. */
const rangeKinds = {
  held: 'held-range',
  prove: 'prove-range',
  others: 'restore-range',
} as const;

/** Whether {@link rangeOrder} makes orders of the kind. */
export function isRangeKind(kind: string): boolean {
  return Object.values<string>(rangeKinds).includes(kind);
}

/** All that another peer needs to open the same restore. Survives JSON. */
export interface RestoreReference {
  /** Tells this run from all others. */
  readonly run: string;
  /** Lineage of the source. */
  readonly source: string;
  /** Hex. */
  readonly at: string;
  readonly to: SourceConfig;
  /** What the target is, as the peer that restores sees it: names may mean another database elsewhere. */
  readonly identity: string;
  readonly target: Omit<TargetOptions, 'owner'>;
  readonly parts?: PartsWish;
  readonly live?: LiveForm;
}

export interface RangeOrder {
  readonly reference: RestoreReference;
  /** Of the dataset, in the target. */
  readonly namespace: string;
  readonly range: KeyRange;
  readonly operation: RangeOperation;
  /** {@link RestoreTarget.lend}; absent where targets lend nothing. */
  readonly lent?: unknown;
  /** The part of the restore's rate that the piece has; absent: no limit. */
  readonly bytesPerSecond?: number;
}

type OrderText = Omit<RangeOrder, 'range'> & { readonly range: RangeText };

export function rangeOrder({ range, ...order }: RangeOrder): WorkOrder {
  const input: OrderText = { ...order, range: rangeToText(range) };
  const { operation, bytesPerSecond } = order;
  if (bytesPerSecond !== undefined) return { kind: rangeKinds.held, input };
  return { kind: operation.kind === 'prove' ? rangeKinds.prove : rangeKinds.others, input };
}

type ResultText = Omit<RangeResult, 'changed' | 'part'> & {
  readonly changed: readonly { readonly key: string; readonly text: string }[];
  readonly part?: string;
};

async function resultToText({ changed, part, ...counts }: RangeResult): Promise<unknown> {
  const text: ResultText = {
    ...counts,
    changed: changed.map((one) => ({ key: toBase64(one.key), text: one.text })),
    ...(part && { part: toBase64(await encodeTreePart(part)) }),
  };
  return text;
}

export async function resultFromText(result: unknown, source: LeafSource): Promise<RangeResult> {
  const { changed, part, ...counts } = result as ResultText;
  return {
    ...counts,
    changed: changed.map((one) => ({ key: fromBase64(one.key), text: one.text })),
    ...(part !== undefined && { part: await decodeTreePart(fromBase64(part), source) }),
  };
}

/** A restore that this worker takes part in. */
export interface WorkerRestore extends AsyncDisposable {
  readonly shared: Omit<RangeContext, 'target'>;
  readonly target: RestoreTarget;
  readonly items: ReadonlyMap<string, RestoreItem>;
}

/** Errors: those of the fold and of the target. */
export async function rangeWork(
  input: unknown,
  work: WorkContext,
  restores: OpenedHere<WorkerRestore>,
): Promise<unknown> {
  const { reference, namespace, range, operation, lent, bytesPerSecond } = input as OrderText;
  const place = { key: reference.run, source: reference.source };
  const open = (context: SourceContext): Promise<WorkerRestore> =>
    openRestore(context, reference, work.signal);
  return await restores.use(place, open, async ({ shared, target, items }) => {
    const item = seenHere(items.get(namespace), namespace);
    const into = lent === undefined ? target : target.borrow?.(item, lent);
    assert(into, 'what is lent can be borrowed');
    const { clock } = shared.context.world;
    const throttle = bytesPerSecond && { throttle: new Throttle(bytesPerSecond, clock) };
    const here = { ...shared, target: into, ...throttle };
    return await resultToText(await runRange(here, item, rangeFromText(range), operation, work));
  });
}

async function openRestore(
  context: SourceContext,
  { at, to, identity, target: options, parts, live }: RestoreReference,
  signal: AbortSignal,
): Promise<WorkerRestore> {
  const { connector, world, lineage, scope } = context;
  const time = timeFromHex(at);
  const point = resolvePoint({ state: lineage.state, connector, scope }, time, options.scope);
  const items = point.datasets.map(
    (dataset): RestoreItem => ({
      dataset,
      entry: dataset.entry,
      namespace: renamed(options.renames, dataset.entry.namespace),
    }),
  );
  const target = await connector
    .openTarget(to, connectorContext(world), signal)
    .catch((cause: unknown) => {
      if (signal.aborted) throw cause;
      // Where nobody reaches it, whoever restores says why.
      const why = isCodrError(cause) ? cause.message : 'an error of this program';
      throw new CodrError('peer-lost', `the target is not to be opened from here: ${why}`, {
        cause,
      });
    });
  try {
    if (target.identity.id !== identity) {
      const message = `the target is ${target.identity.id} from here, not ${identity}`;
      throw new CodrError('peer-lost', message, { object: connector.redact(to.uri) });
    }
    // What is lent was planned by its lender.
    if (!target.borrow) await target.plan(items, options, signal);
    const shared = {
      context,
      runs: new OpenedRuns(context),
      at: time,
      ttl: options.ttl,
      parts: wantedParts(connector, parts, point.datasets),
      ...(live && { live }),
    };
    return {
      shared,
      target,
      items: new Map(items.map((item) => [item.namespace, item])),
      [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
    };
  } catch (error) {
    await target[Symbol.asyncDispose]();
    throw error;
  }
}

/** Undefined: what the target takes from one process it does not take from others. */
export function referenceOf(
  context: SourceContext,
  target: Pick<RestoreTarget, 'sharesRanges' | 'identity'>,
  restore: Omit<RestoreReference, 'source' | 'at' | 'identity'> & { readonly at: bigint },
): { reference?: RestoreReference } {
  if (!target.sharesRanges) return {};
  return {
    reference: {
      ...restore,
      source: context.lineage.name,
      at: timeToHex(restore.at),
      identity: target.identity.id,
    },
  };
}
