// A target that refuses something in the middle of a restore holds what was loaded until then. Exit code 5
// promises that nothing was changed, so the error says what was, and what to do with it.
import { CodrError, isCodrError } from '../../base/error.ts';
import type { LeftBehind, RestoreTarget } from '../../connector/restore-target.ts';

/** Names that the message lists; the facts have all. */
const listedMax = 8;

/** `error`, which ended a restore after it began, with what it left in the target; others as they are. */
export async function sayingWhatIsLeft(
  target: Pick<RestoreTarget, 'leftBehind'>,
  error: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  if (signal.aborted || !isCodrError(error) || error.exitCode !== 5) return error;
  try {
    const left = await target.leftBehind(signal);
    return left ? withLeft(error, left) : error;
  } catch (cause) {
    // A target that cannot be asked may hold anything.
    const message = `${error.message}; what was loaded until then may be left in the target`;
    return new CodrError(error.code, message, { ...detailOf(error), cause });
  }
}

function withLeft(error: CodrError, { marker, names }: LeftBehind): CodrError {
  const more = names.length - listedMax;
  const listed = `${names.slice(0, listedMax).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  const message = `${error.message}; left in the target: ${listed}, and the marker ${marker}`;
  return new CodrError(error.code, message, {
    ...detailOf(error),
    remedy: `${error.remedy}; the same command then goes on; to give it up, drop what was left`,
    facts: { ...error.facts, left: { marker, names } },
    cause: error.cause,
  });
}

function detailOf({ object, remedy, facts }: CodrError) {
  return { ...(object !== undefined && { object }), remedy, facts };
}
