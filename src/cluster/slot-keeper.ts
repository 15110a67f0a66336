// The table of slots from both sides. Whoever leads computes it when peers come or go, and writes it to `slots`
// under its term. Everybody follows what stands there, and never goes back to an older one.
import { untilAborted } from '../base/async.ts';
import type { Clock } from '../base/clock.ts';
import { isCodrError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import type { Coordinator, Guard, Operation, Outcome } from '../coordination/coordinator.ts';
import { type Epoch, isOlder, sameEpoch } from './epoch.ts';
import { listPeers, watchPeers } from './membership.ts';
import { decodeSlots, encodeSlots, type SlotAssignment } from './slot-codec.ts';
import { computeSlots, SlotTable } from './slot-table.ts';

/** What leading gives a leader; nothing that it writes through this comes after its time. */
export interface SlotTerm {
  readonly epoch: Epoch;
  /** As the coordinator's, and only while this process leads. */
  transact(guards: readonly Guard[], operations: readonly Operation[]): Promise<Outcome>;
  /** Aborted when this process must stop to lead. */
  readonly signal: AbortSignal;
}

export interface KeepSlotsOptions {
  readonly coordinator: Coordinator;
  readonly clock: Pick<Clock, 'sleep'>;
  /** After the first change of the peers; those that follow soon count with it. */
  readonly settleMs: number;
  readonly log: Logger;
}

const key = 'slots';
const retryDelayMs = 1000;

/**
 * Keeps the table as long as the term lasts; ends quietly with it. Errors: `coordinator-refused`,
 * `coordinator-replaced`, `format-unknown` for a peer that cannot be read.
 */
export async function keepSlots(term: SlotTerm, options: KeepSlotsOptions): Promise<void> {
  await untilStopped(term.signal, options, async () => {
    for await (const _ of watchPeers(options.coordinator, term.signal)) {
      await options.clock.sleep(options.settleMs, term.signal);
      await writeSlots(term, options);
    }
  });
}

async function writeSlots(term: SlotTerm, options: KeepSlotsOptions): Promise<void> {
  const { coordinator, clock, log } = options;
  for (;;) {
    term.signal.throwIfAborted();
    const there = await coordinator.get(key);
    const before = there && readable(there.value, log);
    const peers = (await listPeers(coordinator)).filter(({ state }) => state === 'up');
    const table = computeSlots(peers, before?.table ?? SlotTable.empty);
    if (before && sameEpoch(before.epoch, term.epoch) && before.table.equals(table)) return;
    const value = encodeSlots({ epoch: term.epoch, table });
    const guard = { key, modifyRevision: there?.modifyRevision ?? 0 };
    if (!(await term.transact([guard], [{ put: key, value }])).done) {
      // Somebody wrote meanwhile, or this process leads no more and will soon be told.
      await clock.sleep(retryDelayMs, term.signal);
      continue;
    }
    const moved = table.differences(before?.table ?? SlotTable.empty);
    log.info({ peers: table.peers, moved }, 'slots are placed on the peers');
    return;
  }
}

/** The newest table that this process has seen. */
export class SlotFollower {
  #current: SeenTable | undefined;

  /** Undefined until the first one was read. */
  get current(): SlotAssignment | undefined {
    return this.#current?.assignment;
  }

  /**
   * Follows the table of this coordinator until the signal is aborted, then ends quietly. Errors:
   * `coordinator-refused`, `coordinator-replaced`: what was read is kept; follow another coordinator.
   */
  async follow(
    coordinator: Coordinator,
    options: Pick<KeepSlotsOptions, 'clock' | 'log'> & { readonly signal: AbortSignal },
  ): Promise<void> {
    await untilStopped(options.signal, options, async () => {
      const hints = coordinator.watch(key, options.signal)[Symbol.asyncIterator]();
      try {
        do await this.#read(coordinator, options.log);
        while (!(await hints.next()).done);
      } finally {
        await hints.return?.();
      }
    });
  }

  async #read(coordinator: Coordinator, log: Logger): Promise<void> {
    const there = await coordinator.get(key);
    const assignment = there && readable(there.value, log);
    if (!there || !assignment) return;
    const revision = there.modifyRevision;
    if (this.#current && isSuperseded({ assignment, revision }, this.#current)) {
      const seen = this.#current.assignment.epoch;
      log.debug({ epoch: assignment.epoch, seen }, 'an older table of slots is passed over');
      return;
    }
    this.#current = { assignment, revision };
  }
}

interface SeenTable {
  readonly assignment: SlotAssignment;
  readonly revision: number;
}

/** By term; within one, by the order in which the coordinator took them. */
function isSuperseded(table: SeenTable, seen: SeenTable): boolean {
  const { epoch } = table.assignment;
  if (isOlder(epoch, seen.assignment.epoch)) return true;
  return sameEpoch(epoch, seen.assignment.epoch) && table.revision <= seen.revision;
}

/** A table that cannot be read counts as none: a cache of placements, made again by whoever leads. */
function readable(value: string, log: Logger): SlotAssignment | undefined {
  try {
    return decodeSlots(value);
  } catch (error) {
    if (!isCodrError(error, 'format-unknown')) throw error;
    log.warn({ error }, error.message);
    return undefined;
  }
}

/** Does the work again after a while when the coordinator did not answer. Quiet once the signal is aborted. */
async function untilStopped(
  signal: AbortSignal,
  { clock, log }: Pick<KeepSlotsOptions, 'clock' | 'log'>,
  work: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await untilAborted(work(), signal);
    } catch (error) {
      // The second: the term is over, and this side is told a moment later.
      if (signal.aborted || isCodrError(error, 'lease-lost')) return;
      const mayPass =
        isCodrError(error, 'coordinator-unreachable') || isCodrError(error, 'transaction-in-doubt');
      if (!mayPass) throw error;
      log.debug({ error }, 'the table of slots waits for the coordinator');
      await clock.sleep(retryDelayMs, signal).catch(() => {});
    }
  }
}
