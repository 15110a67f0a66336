// An entry that an older version stored as unknown, read again. Operations of it that were known then are
// given a second time: a fold drops second copies.
import type { CatalogEntry } from '../../../model/catalog.ts';
import type { Change } from '../../../model/change.ts';
import type { StoredEntry } from '../../log-doubt.ts';
import { emitEffect } from './effects.ts';
import { decodeEntry } from './entry-decoder.ts';
import { operationsOf, tornTransaction } from './transaction-assembler.ts';

/**
 * The entry's changes of records; undefined when it is still unknown, changes the catalog, lacks its
 * beginning, or tells of a collection that is gone. Errors: `object-damaged`.
 */
export function rereadEntry(
  { stream, time, position, name, body }: StoredEntry,
  entries: readonly CatalogEntry[],
): readonly Change[] | undefined {
  const { meaning } = decodeEntry(body);
  if (name === tornTransaction || meaning.kind === 'commit') return undefined;
  const capped = new Set(entries.filter(({ kind }) => kind === 'capped').map((e) => e.dataset));
  const changes: Change[] = [];
  let isKnown = true;
  const refuse = (): void => {
    isKnown = false;
  };
  // Of a collection that is gone it is not known whether it was capped, so what its records look like.
  const known = new Set(entries.map(({ dataset }) => dataset));
  const change = (one: Change): void => {
    if (known.has(one.dataset)) changes.push(one);
    else refuse();
  };
  const sink = { change, catalog: refuse, unknown: refuse };
  for (const [index, operation] of operationsOf(meaning).entries()) {
    emitEffect(operation, { time, stream, position, index }, capped, sink);
  }
  return isKnown ? changes : undefined;
}
