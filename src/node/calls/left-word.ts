// What a call leaves for whoever goes on with it when its process is lost: of work that cannot be done twice, that it
// was begun.
import type { Call } from '../../api/call.ts';
import { isCodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';

/**
 * Errors: `lease-lost`, when somebody else goes on with it already: then its end is not this process's. When it cannot be
 * kept for another reason it is given up with a warning, and a takeover knows less.
 */
export async function leaveWord(
  { handover, signal }: Call,
  word: object,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  try {
    await handover?.write(word);
  } catch (error) {
    if (isCodrError(error, 'lease-lost')) throw error;
    signal.throwIfAborted();
    log.warn({ error }, 'whoever takes this over would not learn how far it got');
  }
}
