// Every kind of coordinator, by name. A new one is a folder beside this file, one line in `kinds`, and one
// call of the conformance suite.
import type { Clock } from '../base/clock.ts';
import { CodrError } from '../base/error.ts';
import type { Coordinator } from './coordinator.ts';
import { MemoryCoordinator } from './memory/memory-coordinator.ts';

/** What coordinators need from outside. */
export interface CoordinatorContext {
  readonly clock: Clock;
}

const kinds: Readonly<Record<string, (context: CoordinatorContext) => Promise<Coordinator>>> = {
  memory: async ({ clock }) => new MemoryCoordinator(clock),
};

/** A coordinator of `kind`; the caller disposes of it. Errors: `config-invalid` for an unknown kind. */
export async function openCoordinator(
  kind: string,
  context: CoordinatorContext,
): Promise<Coordinator> {
  const open = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (open) return open(context);
  throw new CodrError('config-invalid', `no coordinator is known by "${kind}"`, {
    object: kind,
    remedy: `choose one of ${Object.keys(kinds).join(', ')}`,
  });
}
