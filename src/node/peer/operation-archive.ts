// What ended: it lies out of the way of those who look for work, under `operations-ended/<id>`, where the transaction
// that writes the end has moved it. A request, which may hold secrets, does not outlive its operation. Old ones are
// forgotten by whoever ends another one.
import type { Coordinator, CoordinatorEntry, Operation } from '../../coordination/coordinator.ts';
import {
  type EndedRecord,
  endedKey,
  endedPrefix,
  endedRecordOf,
  operationKey,
  operationsPrefix,
  resultsOf,
} from './operation-records.ts';

/** Ended operations that are still known. */
const endedMax = 1000;
/** Parts of their results, 60 KB each: etcd holds 2 GB unless it is told otherwise. */
const partsMax = 2000;
/** Done at one time: what is left over another end does. */
const forgottenMax = 64;
const movedMax = 40;
const movedCharactersMax = 250_000;
/** Deletions in one transaction. */
const deletedMax = 100;

/**
 * The entry of an operation, wherever it lies. In this order: what is moved between both reads is found by the second,
 * and in the other order it would be by none.
 */
export async function entryOf(
  coordinator: Coordinator,
  id: string,
): Promise<CoordinatorEntry | undefined> {
  return (await coordinator.get(operationKey(id))) ?? (await coordinator.get(endedKey(id)));
}

/** All that are known; of one that ends meanwhile its end. */
export async function listRecords(
  coordinator: Coordinator,
  only: 'running' | 'all',
): Promise<readonly EndedRecord[]> {
  const running = (await coordinator.list(operationsPrefix)).map(endedRecordOf);
  if (only === 'running') return running.filter(({ state }) => state === 'running');
  const ended = (await coordinator.list(endedPrefix)).map(endedRecordOf);
  return [...new Map([...running, ...ended].map((record) => [record.id, record])).values()];
}

/** The record of an operation that ends moves. To be done under the claim of its owner. */
export function movedToEnd(record: EndedRecord): readonly Operation[] {
  return [
    { put: endedKey(record.id), value: JSON.stringify(withoutRequest(record)) },
    { delete: operationKey(record.id) },
  ];
}

/**
 * Moves what an older version has left among those that run, `left` as far as it was seen, and forgets what is too old:
 * the oldest by their ends in the order of the coordinator, since clocks of peers differ.
 */
export async function tidyEnded(
  coordinator: Coordinator,
  left: readonly CoordinatorEntry[],
): Promise<void> {
  await moveLeft(coordinator, left);
  const kept = (await coordinator.list(endedPrefix)).map((entry) => {
    const record = endedRecordOf(entry);
    return { entry, record, revision: record.revision ?? entry.createRevision };
  });
  kept.sort((a, b) => b.revision - a.revision);
  let parts = 0;
  const old = kept.filter(({ record }, i) => {
    parts += record.resultParts ?? 0;
    return i >= endedMax || (i > 0 && parts > partsMax);
  });
  for (const { entry, record } of old.reverse().slice(0, forgottenMax)) {
    await forget(coordinator, entry, record);
  }
}

async function moveLeft(
  coordinator: Coordinator,
  left: readonly CoordinatorEntry[],
): Promise<void> {
  const oldest = [...left].sort((a, b) => a.modifyRevision - b.modifyRevision);
  const batch: CoordinatorEntry[] = [];
  let characters = 0;
  for (const entry of oldest.slice(0, movedMax)) {
    characters += entry.value.length;
    if (batch.length > 0 && characters > movedCharactersMax) break;
    batch.push(entry);
  }
  if (batch.length === 0) return;
  // Another peer may have moved some: then a later look shows what is left.
  await coordinator.transact(
    batch.map(({ key, modifyRevision }) => ({ key, modifyRevision })),
    batch.flatMap((entry) =>
      movedToEnd({ ...endedRecordOf(entry), revision: entry.modifyRevision }),
    ),
  );
}

/** Its results first: who finds the record and not all of them knows that it is being forgotten. */
async function forget(
  coordinator: Coordinator,
  { key: place, modifyRevision }: CoordinatorEntry,
  { id, key }: EndedRecord,
): Promise<void> {
  // Whoever is first frees the idempotency key, which may be another operation's a moment later.
  const guard = { key: place, modifyRevision };
  const keys = [...(await coordinator.list(resultsOf(id))).map((part) => part.key), place, key];
  // Place and key go together.
  for (let at = 0; at < keys.length; ) {
    const isLast = keys.length - at <= deletedMax;
    const some = keys.slice(at, isLast ? keys.length : Math.min(at + deletedMax, keys.length - 2));
    const outcome = await coordinator.transact(
      [guard],
      some.map((one) => ({ delete: one })),
    );
    if (!outcome.done) return;
    at += some.length;
  }
}

function withoutRequest(record: EndedRecord): EndedRecord {
  const { request: _, ...kept } = record as EndedRecord & { readonly request?: string };
  return kept;
}
