// The events of an operation over all who ran it: each owner numbers its own, above those of owners before it.
import { isEnded, type Operation, type OperationEvent } from '../../api/operations.ts';

/** Who runs an operation, by the create revision of the owner's key: later owners have larger ones. */
interface Claimed {
  readonly claim: number;
}

const eventsPerOwner = 1_000_000;

/** Number before the first event of this owner. */
export function base({ claim }: Claimed): number {
  return claim * eventsPerOwner;
}

/** Number of how it ended, above all else that its owner tells, and below what any other one does. */
export function endSequence(owned: Claimed): number {
  return base(owned) + eventsPerOwner - 1;
}

/**
 * A stream that is followed for weeks reports more often than there are numbers: the last one is then that of all
 * reports, so that none of them stands above those of a later owner.
 */
function sequenceOf(owned: Claimed, own: number): number {
  return Math.min(base(owned) + own, endSequence(owned) - 1);
}

/** What the owner calls by a name of its own, as all others know it. */
export function translated(id: string, owned: Claimed, operation: Operation): Operation {
  const sequence = isEnded(operation) ? endSequence(owned) : sequenceOf(owned, operation.sequence);
  return { ...operation, id, sequence };
}

/** See {@link translated}. */
export function translatedEvent(id: string, owned: Claimed, event: OperationEvent): OperationEvent {
  const { changed: own, sequence } = event;
  const changed = own && translated(id, owned, own);
  return {
    ...event,
    sequence: changed && isEnded(changed) ? changed.sequence : sequenceOf(owned, sequence),
    ...(changed && { changed }),
  };
}
