// Packs of a check as an order to another peer, and what comes back: which of them are not as they should be. The peer
// reads them as they lie in the store now; who asked looks for itself at what is wrong, before anything is given up.
import { CodrError } from '../../base/error.ts';
import type { Sharing, WorkContext, WorkOrder } from '../../cluster/work-pool.ts';
import {
  lookAtPiece,
  type PackDoubt,
  type PackLookers,
  type PackPiece,
  type PiecesLook,
} from '../../repository/check/check-packs.ts';
import type { Repository } from '../../repository/repository.ts';

/** Kind of the order of {@link sharedLookers}. */
export const packsKind = 'check-packs';

interface AnswerText extends PiecesLook {
  /** Names of the packs that were looked at, in the order of the piece. */
  readonly packs: readonly string[];
}

/** Pieces are looked at wherever there is room. */
export function sharedLookers(sharing: Sharing): PackLookers {
  return {
    slots: sharing.slots,
    run: (piece, here, signal) =>
      sharing.run(
        {
          order: (): WorkOrder => ({ kind: packsKind, input: piece }),
          here: (own) => here(own.signal),
          decode: (result) => answerTo(piece, result),
          progress: () => {},
        },
        signal,
      ),
  };
}

/** Errors: `peer-lost` when the store cannot be read from here: then others look. */
export async function packsWork(
  input: unknown,
  { signal, progress }: WorkContext,
  repository: Repository,
): Promise<unknown> {
  const piece = input as PackPiece;
  const { store, unlocked } = repository;
  const place = { store, unlocked, packs: repository.packsAnew() };
  try {
    const look = await lookAtPiece(place, piece, signal);
    progress(piece.packs.length, look.bytesRead);
    return { ...look, packs: piece.packs.map(({ id }) => id) } satisfies AnswerText;
  } catch (cause) {
    if (signal.aborted || !(cause instanceof CodrError)) throw cause;
    const message = `packs cannot be looked at from here: ${cause.message}`;
    throw new CodrError('peer-lost', message, { cause });
  }
}

/** Errors: `peer-lost` for what is no answer to the piece: another place does it then. */
function answerTo(piece: PackPiece, result: unknown): PiecesLook {
  const { packs, bytesRead, doubts } = (result ?? {}) as Partial<Record<keyof AnswerText, unknown>>;
  const wanted = piece.packs.map(({ id }) => id);
  const same = Array.isArray(packs) && String(packs) === String(wanted);
  const whole = Array.isArray(doubts) && doubts.every((one) => isDoubt(one, wanted.length));
  const most = piece.reads ? piece.packs.reduce((sum, { bytes }) => sum + bytes, 0) : 0;
  const isAll = bytesRead === most || (whole && doubts.length > 0 && Number(bytesRead) < most);
  if (same && whole && isAll) return { bytesRead: Number(bytesRead), doubts };
  throw new CodrError('peer-lost', 'a peer answered something else than how its packs are');
}

function isDoubt(one: unknown, count: number): one is PackDoubt {
  const { number, problem } = (one ?? {}) as Partial<Record<keyof PackDoubt, unknown>>;
  if (typeof number !== 'number' || !Number.isInteger(number)) return false;
  return number >= 0 && number < count && typeof problem === 'string';
}
