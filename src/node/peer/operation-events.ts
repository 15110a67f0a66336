// The events of an operation over all who ran it: each owner numbers its own, above those of owners before it.
import type { Operation, OperationEvent } from '../../api/operations.ts';

/** Who runs an operation, by the create revision of the owner's key: later owners have larger ones. */
interface Claimed {
  readonly claim: number;
}

const eventsPerOwner = 1_000_000;

/** Number before the first event of this owner. */
export function base({ claim }: Claimed): number {
  return claim * eventsPerOwner;
}

/** What the owner calls by a name of its own, as all others know it. */
export function translated(id: string, owned: Claimed, operation: Operation): Operation {
  return { ...operation, id, sequence: base(owned) + operation.sequence };
}

export function translatedEvent(id: string, owned: Claimed, event: OperationEvent): OperationEvent {
  const { changed, sequence } = event;
  return {
    ...event,
    sequence: base(owned) + sequence,
    ...(changed && { changed: translated(id, owned, changed) }),
  };
}
