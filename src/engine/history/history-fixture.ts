// A lineage's state for tests, written as a commit would write it.

import { timeToHex } from '../../model/time.ts';
import { Draft } from '../../repository/lineage/draft.ts';
import type { WantRecord } from '../../repository/lineage/records.ts';
import { LineageState } from '../../repository/lineage/state.ts';
import { epochKey } from './source-history.ts';

export const hex = (time: number): string => timeToHex(BigInt(time));

export interface EpochPart {
  readonly catalogFrom: number;
  readonly exactFrom: number;
  readonly closedAt?: number;
}

/** A state with these epochs, settled at `settled`. */
export function historyState(epochs: readonly EpochPart[], settled: number): LineageState {
  const state = new LineageState();
  const position = `${hex(settled)}.1`;
  state.apply([
    ...epochs.map(({ catalogFrom, exactFrom, closedAt }, n): [string, unknown] => [
      epochKey(n),
      {
        catalogFrom: hex(catalogFrom),
        exactFrom: hex(exactFrom),
        ...(closedAt !== undefined && { closedAt: hex(closedAt) }),
      },
    ]),
    ['stream/s', { resume: position, through: position, settled: hex(settled) }],
  ]);
  return state;
}

/** Applies what `work` writes into a draft of `state`. */
export function committed(state: LineageState, work: (draft: Draft) => void): LineageState {
  const draft = new Draft(state, 1);
  work(draft);
  state.apply(draft.changes);
  return state;
}

export function want(part: Partial<WantRecord> & { readonly from: string }): WantRecord {
  return { epoch: 0, initial: false, records: 0, bytes: 0, ...part };
}
