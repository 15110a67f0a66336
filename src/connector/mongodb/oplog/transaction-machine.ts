// Which entries belong together, and when their effects become visible. Pure: `stepTransactions` says what
// to do with an entry and what is open after it; the assembler beside this file does it.
// Page: docs/format/mongodb-changes.md.
import {
  comparePositions,
  firstTime,
  type Position,
  positionToText,
  type SourceTime,
} from '../../../model/time.ts';
import type { Batch, OplogEntry } from './entry-decoder.ts';

/** A batch of which more entries, or the decision, are still to come. */
export interface OpenBatch {
  readonly first: Position;
  readonly last: Position;
  /** Set once prepared: no effect of it can be visible before this time. */
  readonly preparedAt?: SourceTime;
}

/** Open batches by their names. */
export type OpenBatches = ReadonlyMap<string, OpenBatch>;

export const nothingOpen: OpenBatches = new Map();

export type Action =
  /** The entry's operations take effect at its own time. */
  | { readonly kind: 'apply' }
  /** Keep the entry under this name. `renamed`: the name that its batch had before. */
  | { readonly kind: 'keep'; readonly name: string; readonly renamed?: string }
  /** What is kept under the name takes effect at `time`, then the entry's own operations if it has any. */
  | { readonly kind: 'release'; readonly name: string; readonly time: SourceTime }
  | { readonly kind: 'discard'; readonly name: string }
  /** The batch began before the log that was read. */
  | { readonly kind: 'torn' }
  | { readonly kind: 'nothing' };

export interface Step {
  readonly open: OpenBatches;
  readonly actions: readonly Action[];
}

const applyOnly: readonly Action[] = [{ kind: 'apply' }];

/** What `entry` means for the open batches. Entries must be given in the order of the log. */
export function stepTransactions(open: OpenBatches, entry: OplogEntry): Step {
  const { meaning, position } = entry;
  if (meaning.kind === 'operation') return { open, actions: applyOnly };
  if (meaning.kind === 'batch') return stepBatch(open, meaning, position);
  const name = meaning.transaction;
  if (meaning.kind === 'abort') {
    if (!open.has(name)) return { open, actions: [{ kind: 'nothing' }] };
    return { open: without(open, name), actions: [{ kind: 'discard', name }] };
  }
  if (!open.has(name)) return { open, actions: [{ kind: 'torn' }] };
  return { open: without(open, name), actions: [{ kind: 'release', name, time: meaning.time }] };
}

/** First entry of the oldest open batch, from which a reader must begin again; or `through`. */
export function resumePosition(open: OpenBatches, through: Position): Position {
  let oldest = through;
  for (const { first } of open.values()) {
    if (comparePositions(first, oldest) < 0) oldest = first;
  }
  return oldest;
}

/** Every effect at or before this time is known: `through`, or less while a prepare is undecided. */
export function settledTime(open: OpenBatches, through: Position): SourceTime {
  let settled = through.time;
  for (const { preparedAt } of open.values()) {
    if (preparedAt !== undefined && preparedAt <= settled && preparedAt > firstTime) {
      settled = preparedAt - 1n;
    }
  }
  return settled;
}

/** The one prepared first of those that are undecided, by its name. */
export function oldestUndecided(
  open: OpenBatches,
): { readonly name: string; readonly preparedAt: SourceTime } | undefined {
  let oldest: { name: string; preparedAt: SourceTime } | undefined;
  for (const [name, { preparedAt }] of open) {
    if (preparedAt === undefined || (oldest && oldest.preparedAt <= preparedAt)) continue;
    oldest = { name, preparedAt };
  }
  return oldest;
}

function stepBatch(open: OpenBatches, batch: Batch, position: Position): Step {
  const { transaction, previous, partial, prepared } = batch;
  const goesOn = partial || prepared;
  if (!transaction) return stepUnnamed(open, batch, position);
  const begun = open.get(transaction);
  if (previous) {
    // A chain must be whole, link by link.
    if (!begun || begun.last.time !== previous.time) return torn(open, transaction);
    if (!goesOn) return released(open, transaction, position);
    const next = { ...begun, last: position, ...(prepared && { preparedAt: position.time }) };
    return {
      open: withBatch(open, transaction, next),
      actions: [{ kind: 'keep', name: transaction }],
    };
  }
  // The first entry of a transaction ends what the session had begun before and never finished.
  const stale = [...open.keys()].filter(
    (name) => sameSession(name, transaction) && !isPrepared(open, name),
  );
  const discards = stale.map((name): Action => ({ kind: 'discard', name }));
  const rest = stale.reduce<OpenBatches>(without, open);
  if (!goesOn) return { open: rest, actions: [...discards, { kind: 'apply' }] };
  const fresh = { first: position, last: position, ...(prepared && { preparedAt: position.time }) };
  return {
    open: withBatch(rest, transaction, fresh),
    actions: [...discards, { kind: 'keep', name: transaction }],
  };
}

/** A split batch outside of transactions is a chain known only by its last position. */
function stepUnnamed(open: OpenBatches, batch: Batch, position: Position): Step {
  const name = chainName(position);
  if (!batch.previous) {
    if (!batch.partial) return { open, actions: applyOnly };
    const fresh = { first: position, last: position };
    return { open: withBatch(open, name, fresh), actions: [{ kind: 'keep', name }] };
  }
  const before = chainName(batch.previous);
  const begun = open.get(before);
  if (!begun) return { open, actions: [{ kind: 'torn' }] };
  if (!batch.partial) return released(open, before, position);
  return {
    open: withBatch(without(open, before), name, { ...begun, last: position }),
    actions: [{ kind: 'keep', name, renamed: before }],
  };
}

function released(open: OpenBatches, name: string, position: Position): Step {
  return { open: without(open, name), actions: [{ kind: 'release', name, time: position.time }] };
}

function torn(open: OpenBatches, name: string): Step {
  const actions: Action[] = open.has(name) ? [{ kind: 'discard', name }] : [];
  return { open: without(open, name), actions: [...actions, { kind: 'torn' }] };
}

function chainName(position: Position): string {
  return `chain:${positionToText(position)}`;
}

function sameSession(a: string, b: string): boolean {
  return a.slice(0, a.lastIndexOf(':')) === b.slice(0, b.lastIndexOf(':'));
}

function isPrepared(open: OpenBatches, name: string): boolean {
  return open.get(name)?.preparedAt !== undefined;
}

function withBatch(open: OpenBatches, name: string, batch: OpenBatch): OpenBatches {
  return new Map(open).set(name, batch);
}

function without(open: OpenBatches, name: string): OpenBatches {
  if (!open.has(name)) return open;
  const rest = new Map(open);
  rest.delete(name);
  return rest;
}
