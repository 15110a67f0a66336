// Config and keys: what must be whole before anything else can be read.
import { CodrError, isCodrError } from '../../base/error.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { decodeCheckedJson } from '../keys/checked-json.ts';
import type { Credential } from '../keys/key-wrap.ts';
import { type OpenedRepository, openRepository } from '../keys/repository-config.ts';
import type { Problems } from './problems.ts';

const fromCopy = 'put the object back from a copy of the repository';
const everything = ['everything: no source can be read without it'];

/** Undefined when the repository cannot be opened because of damage; `problems` says of what. */
export async function checkKeys(
  store: ObjectStore,
  credential: Credential | undefined,
  problems: Problems,
): Promise<OpenedRepository | undefined> {
  await checkKeyObjects(store, problems);
  try {
    return await openRepository(store, credential);
  } catch (error) {
    const object = await objectInTheWay(store, error);
    if (object === undefined) throw error;
    const { message } = error as CodrError;
    if (problems.hurt(object, everything[0] as string)) return undefined;
    problems.add({ object, problem: message, affected: everything, remedy: fromCopy });
    return undefined;
  }
}

/** The damaged or missing object behind a failed opening; undefined when that is something else. */
async function objectInTheWay(store: ObjectStore, error: unknown): Promise<string | undefined> {
  if (!(error instanceof CodrError)) return undefined;
  if (error.code === 'object-damaged' || error.code === 'object-missing') {
    return error.object ?? 'keys/';
  }
  if (error.code === 'format-unknown') return error.object ?? 'config';
  const names: string[] = [];
  for await (const { name } of store.list('keys/')) names.push(name);
  if (error.code === 'repository-missing' && names.length > 0) return 'config';
  const hasSlot = names.some((name) => !name.startsWith('keys/kek-'));
  const needsSlot = error.code === 'key-missing' || error.code === 'key-wrong';
  return needsSlot && !hasSlot ? 'keys/' : undefined;
}

/** Every object under `keys/`, also slots that this opening does not need, and that no epoch is missing. */
async function checkKeyObjects(store: ObjectStore, problems: Problems): Promise<void> {
  const epochs = new Set<number>();
  for await (const { name } of store.list('keys/')) {
    const epoch = /^keys\/kek-(\d+)-/.exec(name)?.[1];
    if (epoch) epochs.add(Number(epoch));
    try {
      decodeCheckedJson(name, await store.get(name));
    } catch (error) {
      if (!isCodrError(error, 'object-damaged')) throw error;
      const affected = epoch ? [`packs and entries of key epoch ${epoch}`] : ['this key slot'];
      const remedy = epoch
        ? fromCopy
        : `${fromCopy}, or remove the slot and add another: codr key remove, codr key add`;
      problems.add({ object: name, problem: error.message, affected, remedy });
    }
  }
  for (let epoch = 1; epoch < Math.max(0, ...epochs); epoch++) {
    if (epochs.has(epoch)) continue;
    const affected = [`packs and entries of key epoch ${epoch}`];
    problems.add({
      object: 'keys/',
      problem: `the key of epoch ${epoch} is missing`,
      affected,
      remedy: fromCopy,
    });
  }
}
