// Anything that changes, on a store that cannot overwrite: a chain of create-only objects
// `mutable/<what>/<id>/<n>`, of which the newest counts. Each is JSON and its MAC; nothing secret goes here.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { view } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { ObjectStore } from '../../storage/object-store.ts';

export interface MutableContext {
  readonly store: ObjectStore;
  readonly keys: { readonly mac: Uint8Array };
}

const macBytes = 32;
/** Of one value that a list shows; lists may lag a little. */
const vainReadsMax = 4;

function folderOf(what: string, id: string): string {
  return `mutable/${what}/${id}/`;
}

function nameOf(what: string, id: string, n: number): string {
  return folderOf(what, id) + String(n).padStart(8, '0');
}

/** Creates the n-th value. False when somebody else has created it first. */
export async function createMutable(
  context: MutableContext,
  place: { what: string; id: string; n: number },
  value: unknown,
): Promise<boolean> {
  const name = nameOf(place.what, place.id, place.n);
  const json = Buffer.from(JSON.stringify(value), 'utf8');
  const outcome = await context.store.create(name, [macOf(context, name, json), json]);
  return outcome === 'created';
}

/** The n-th value, or undefined when there is none. Errors: `object-damaged`. */
export async function readMutable<T>(
  context: MutableContext,
  place: { what: string; id: string; n: number },
): Promise<T | undefined> {
  const name = nameOf(place.what, place.id, place.n);
  let bytes: Uint8Array;
  try {
    bytes = await context.store.get(name);
  } catch (error) {
    if (isCodrError(error, 'object-missing')) return undefined;
    throw error;
  }
  const json = bytes.subarray(macBytes);
  const fits =
    bytes.length >= macBytes &&
    timingSafeEqual(bytes.subarray(0, macBytes), macOf(context, name, json));
  if (!fits)
    throw new CodrError('object-damaged', `${name}: its MAC does not fit`, { object: name });
  return JSON.parse(view(json).toString('utf8')) as T;
}

/**
 * The newest value and its number. `known`: the chain is known to hold something. A list that runs while
 * the newest is created and the one before is removed may show neither; so it is made once more then. Errors:
 * `store-unreachable` for a store that goes on listing what it does not give.
 */
export async function newestMutable<T>(
  context: MutableContext,
  of: { readonly what: string; readonly id: string; readonly known?: boolean },
): Promise<{ n: number; value: T } | undefined> {
  const { what, id } = of;
  const vain = new Map<number, number>();
  for (let again = of.known ?? false; ; ) {
    let newest: number | undefined;
    for await (const object of context.store.list(folderOf(what, id))) {
      newest = Number(object.name.slice(object.name.lastIndexOf('/') + 1));
    }
    if (newest === undefined) {
      if (!again) return undefined;
      again = false;
      continue;
    }
    again = true;
    const value = await readMutable<T>(context, { what, id, n: newest });
    if (value !== undefined) return { n: newest, value };
    // It was removed since the list, so a newer one is there.
    vain.set(newest, (vain.get(newest) ?? 0) + 1);
    if (vain.get(newest) === vainReadsMax) throw listedInVain(nameOf(what, id, newest));
  }
}

function listedInVain(object: string): CodrError {
  return new CodrError('store-unreachable', `the store lists ${object} and does not give it`, {
    object,
  });
}

export async function removeMutable(
  context: MutableContext,
  place: { what: string; id: string; n: number },
): Promise<void> {
  await context.store.remove(nameOf(place.what, place.id, place.n));
}

function macOf(context: MutableContext, name: string, json: Uint8Array): Uint8Array {
  return createHmac('sha256', context.keys.mac).update(name).update('\0').update(json).digest();
}
