// How an operation ended, written down by its owner: only while it is that, and before anybody is told. What ended
// because the peer stops is given back for others to go on with.
import { errorDetail } from '../../api/error-detail.ts';
import type { Operation, OperationKind, OperationRequest } from '../../api/operations.ts';
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import type { Coordinator } from '../../coordination/coordinator.ts';
import { movedToEnd } from './operation-archive.ts';
import { endSequence } from './operation-events.ts';
import {
  cancelKey,
  type EndedRecord,
  type OperationRecord,
  openedRequest,
  ownerKey,
  sealedError,
  toldAfterTakeover,
  writeResult,
} from './operation-records.ts';
import type { ValueSeal } from './value-seal.ts';

export interface EndWorld {
  readonly coordinator: Coordinator;
  readonly seal: ValueSeal;
  readonly clock: Clock;
}

/** A backup that follows has no end of its own. */
export function isStream(kind: OperationKind, request: OperationRequest): boolean {
  return kind === 'backup' && 'follow' in request && request.follow;
}

/** Others may go on with it. */
export async function giveBack(coordinator: Coordinator, id: string, claim: number): Promise<void> {
  const guard = { key: ownerKey(id), createRevision: claim };
  await coordinator.transact([guard], [{ delete: ownerKey(id) }]);
}

/** Writes nothing when another peer is the owner by now. `isStopping`: the peer takes its leave. */
export async function writeEnd(
  world: EndWorld,
  record: OperationRecord,
  {
    claim,
    ended,
    isStopping,
  }: { readonly claim: number; readonly ended: Operation; readonly isStopping: boolean },
): Promise<void> {
  const { coordinator, seal } = world;
  const { id, kind } = record;
  const request = openedRequest(seal, record);
  const isCancelled = (await coordinator.get(cancelKey(id))) !== undefined;
  // What has no end of its own says so by ending well.
  const isStopped = ended.state === 'cancelled' || (isStopping && isStream(kind, request));
  if (isStopped && !isCancelled) return await giveBack(coordinator, id, claim);
  const { result, error, state } = ended;
  const told = error && (await toldAfterTakeover(coordinator, { id, kind, claim }, error));
  const parts = state === 'done' ? await writeResult(coordinator, seal, { id, claim, result }) : 0;
  if (parts === undefined) return;
  await writeRecord(world, claim, {
    ...record,
    state,
    ended: new Date(world.clock.now()).toISOString(),
    sequence: endSequence({ claim }),
    ...(parts > 0 && { resultParts: parts, resultClaim: claim }),
    ...(told && { error: sealedError(seal, told) }),
  });
}

/** What stands for an end that cannot be written as it is. */
export function unwritable(
  { result: _, ...ended }: Operation,
  cause: unknown,
  redact: (text: string) => string,
): Operation {
  const why = new CodrError('failed', 'how the operation ended cannot be written down', {
    remedy: 'report it, with the log of the peer; see what it did before you ask for it again',
    cause,
  });
  return { ...ended, state: 'failed', error: errorDetail(why, redact) };
}

/** Of an operation that has not begun at this owner. */
export async function writeCancelled(
  world: EndWorld,
  record: OperationRecord,
  claim: number,
): Promise<void> {
  const why = new CodrError('interrupted', 'the operation was cancelled while nobody ran it');
  await writeRecord(world, claim, {
    ...record,
    state: 'cancelled',
    ended: new Date(world.clock.now()).toISOString(),
    sequence: endSequence({ claim }),
    error: sealedError(
      world.seal,
      errorDetail(why, (text) => text),
    ),
  });
}

async function writeRecord(
  { coordinator }: EndWorld,
  claim: number,
  record: EndedRecord,
): Promise<void> {
  const { id } = record;
  await coordinator.transact(
    [{ key: ownerKey(id), createRevision: claim }],
    [...movedToEnd(record), { delete: ownerKey(id) }, { delete: cancelKey(id) }],
  );
}
