// Slots wrap the root key of a repository, each for one passphrase or key file; KEKs, one an epoch, are
// wrapped by the root, which never changes. All are create-only objects under `keys/`: `keys/<slot id>` and
// `keys/kek-<epoch>-<repository id>`. Objects of another repository id, left by an `init` that did not
// finish, are ignored. Layout: docs/format/keys.md.
import { fromHex, toHex } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import {
  canonicalJson,
  decodeCheckedJson,
  encodeCheckedJson,
  type JsonObject,
} from './checked-json.ts';
import {
  type Credential,
  defaultScryptCost,
  keyFileKey,
  passphraseKey,
  type ScryptCost,
  scryptCostFits,
  unwrapKey,
  wrapKey,
} from './key-wrap.ts';
import { deriveKey, deriveRepositoryKeys, type RepositoryKeys } from './repository-keys.ts';

export interface KeySlot {
  /** 16 hex digits. */
  readonly id: string;
  /**
   * `passphrase`, `key-file` or `open`, which holds the root in the clear: only `codr init --no-encryption`
   * makes it. Any other kind, or `format <n>`, is a newer version's: it is listed and opens nothing here.
   */
  readonly kind: string;
}

/** A repository whose root key is known. Holds secrets. */
export interface UnlockedKeys {
  readonly repositoryId: string;
  /** 32 bytes. */
  readonly root: Uint8Array;
  readonly keys: RepositoryKeys;
  /** The slot that opened it. */
  readonly slot: KeySlot;
}

export interface SlotOptions {
  readonly random: Random;
  /** Of new passphrase slots; tests use a small one. */
  readonly scrypt?: ScryptCost;
}

interface StoredSlot extends KeySlot {
  readonly name: string;
  readonly body: JsonObject;
}

const folder = 'keys/';
const knownKinds = ['passphrase', 'key-file', 'open'];

/** Makes a root key, its first slot and the KEK of epoch 1. No credential: a slot of kind `open`. */
export async function createKeys(
  store: ObjectStore,
  repositoryId: string,
  credential: Credential | undefined,
  options: SlotOptions,
): Promise<UnlockedKeys> {
  const root = options.random.bytes(32);
  const slot = await storeSlot(store, { repositoryId, root }, credential, options);
  await createKek(store, { repositoryId, root }, 1, options.random);
  const keys = deriveRepositoryKeys(root, await readKeks(store, repositoryId, root));
  return { repositoryId, root, keys, slot };
}

/**
 * Opens the repository with what the user gave. Whoever gave something never gets in by an `open` slot:
 * anybody who can write to the store can put one there. `verify` throws `object-damaged` for keys that are
 * not the repository's; the next slot is tried then. Errors: `key-missing` when nothing was given and every
 * slot needs something, `key-wrong` when no slot opens, `object-damaged` or `object-missing` when none opens
 * and some slot, or what it leads to, cannot be read.
 */
export async function openKeys(
  store: ObjectStore,
  repositoryId: string,
  credential: Credential | undefined,
  verify: (keys: RepositoryKeys) => void = () => {},
): Promise<UnlockedKeys> {
  const { slots, damaged } = await readSlots(store, repositoryId);
  for (const slot of slots) {
    const root = openSlot(slot, credential);
    if (!root) continue;
    try {
      const keys = deriveRepositoryKeys(root, await readKeks(store, repositoryId, root));
      verify(keys);
      return { repositoryId, root, keys, slot: { id: slot.id, kind: slot.kind } };
    } catch (error) {
      if (!isCodrError(error, 'object-damaged') && !isCodrError(error, 'object-missing'))
        throw error;
      damaged.push(error);
    }
  }
  if (damaged[0]) throw damaged[0];
  throw notOpened(store, slots, credential);
}

function notOpened(
  store: ObjectStore,
  slots: readonly KeySlot[],
  credential: Credential | undefined,
): CodrError {
  if (!credential)
    return new CodrError('key-missing', `the repository at ${store.url} needs a key`);
  const given = credential.kind === 'passphrase' ? 'passphrase' : 'key file';
  if (slots.length > 0 && slots.every(({ kind }) => kind === 'open')) {
    const message = `the repository at ${store.url} is not encrypted, but a ${given} was given`;
    const remedy =
      `if it was made with --no-encryption, leave the ${given} out; ` +
      'else somebody has put other objects in its place: store nothing there';
    return new CodrError('key-wrong', message, { remedy });
  }
  const facts = { slots: slots.map(({ kind }) => kind) };
  return new CodrError('key-wrong', `no key slot at ${store.url} opens with this ${given}`, {
    facts,
  });
}

/** Adds a way to open the repository. */
export async function addSlot(
  store: ObjectStore,
  unlocked: UnlockedKeys,
  credential: Credential,
  options: SlotOptions,
): Promise<KeySlot> {
  return await storeSlot(store, unlocked, credential, options);
}

/**
 * Removes a slot. The last one of a kind that this version opens is refused (`key-last`), an unknown id is
 * `usage`. Two removals at
 * the same moment can each leave the other's slot as the last: removing keys is for one person at a time.
 */
export async function removeSlot(
  store: ObjectStore,
  repositoryId: string,
  id: string,
): Promise<void> {
  const { slots, damaged } = await readSlots(store, repositoryId);
  const slot = slots.find((one) => one.id === id);
  if (!slot && !damaged.some((one) => one.object === folder + id)) {
    throw new CodrError('usage', `there is no key slot ${id}`, { remedy: 'see `codr key list`' });
  }
  if (slot && !slots.some((one) => one !== slot && knownKinds.includes(one.kind))) {
    throw new CodrError('key-last', `${id} is the last key slot of this repository`);
  }
  await store.remove(folder + id);
}

/** Every readable slot, by id. */
export async function listSlots(store: ObjectStore, repositoryId: string): Promise<KeySlot[]> {
  return (await readSlots(store, repositoryId)).slots.map(({ id, kind }) => ({ id, kind }));
}

/** What the wrap authenticates: every clear field of the slot. */
function aboutSlot(body: JsonObject): string {
  const { wrapped: _, ...clear } = body;
  return canonicalJson(clear);
}

async function storeSlot(
  store: ObjectStore,
  of: { readonly repositoryId: string; readonly root: Uint8Array },
  credential: Credential | undefined,
  options: SlotOptions,
): Promise<KeySlot> {
  const { random } = options;
  const id = toHex(random.bytes(8));
  const common = { format: 1, id, repositoryId: of.repositoryId };
  if (!credential) {
    const body = { ...common, kind: 'open', root: toHex(of.root) };
    await createNew(store, folder + id, body);
    return { id, kind: 'open' };
  }
  const salt = random.bytes(32);
  const cost = options.scrypt ?? defaultScryptCost;
  const clear: JsonObject = {
    ...common,
    kind: credential.kind,
    salt: toHex(salt),
    ...(credential.kind === 'passphrase' && { scrypt: { N: cost.N, r: cost.r, p: cost.p } }),
  };
  const wrapping = wrappingKey(clear, credential);
  const wrapped = wrapKey(wrapping, of.root, { about: aboutSlot(clear), random });
  await createNew(store, folder + id, { ...clear, wrapped: toHex(wrapped) });
  return { id, kind: credential.kind };
}

function wrappingKey(slot: JsonObject, credential: Credential): Uint8Array {
  const salt = fromHex(String(slot.salt));
  if (credential.kind === 'key-file') return keyFileKey(credential.content, salt);
  return passphraseKey(credential.passphrase, salt, slot.scrypt as unknown as ScryptCost);
}

function openSlot(slot: StoredSlot, credential: Credential | undefined): Uint8Array | undefined {
  if (!credential) return slot.kind === 'open' ? fromHex(String(slot.body.root)) : undefined;
  if (credential.kind !== slot.kind) return undefined;
  const wrapped = fromHex(String(slot.body.wrapped));
  return unwrapKey(wrappingKey(slot.body, credential), wrapped, aboutSlot(slot.body));
}

async function readSlots(
  store: ObjectStore,
  repositoryId: string,
): Promise<{ slots: StoredSlot[]; damaged: CodrError[] }> {
  const slots: StoredSlot[] = [];
  const damaged: CodrError[] = [];
  for await (const { name } of store.list(folder)) {
    if (name.startsWith(`${folder}kek-`)) continue;
    try {
      const body = decodeCheckedJson(name, await store.get(name));
      if (body.repositoryId !== repositoryId) continue;
      slots.push(checkSlot(name, body));
    } catch (error) {
      if (!(error instanceof CodrError) || error.code !== 'object-damaged') throw error;
      damaged.push(error);
    }
  }
  return { slots, damaged };
}

function checkSlot(name: string, body: JsonObject): StoredSlot {
  const kind = body.format === 1 ? String(body.kind) : `format ${body.format}`;
  const fits =
    name === folder + String(body.id) &&
    (kind !== 'passphrase' || scryptCostFits((body.scrypt ?? {}) as unknown as ScryptCost));
  if (!fits) throw new CodrError('object-damaged', `${name} is no key slot`, { object: name });
  return { name, id: String(body.id), kind, body };
}

const kekName = (epoch: number, repositoryId: string): string =>
  `${folder}kek-${epoch}-${repositoryId}`;

const kekWrapping = (root: Uint8Array, epoch: number): Uint8Array =>
  deriveKey(root, `codr/1/kek/${epoch}`, 32);

/** Creates the KEK of `epoch`; when another process was first, its KEK is the one that counts. */
async function createKek(
  store: ObjectStore,
  of: { readonly repositoryId: string; readonly root: Uint8Array },
  epoch: number,
  random: Random,
): Promise<void> {
  const name = kekName(epoch, of.repositoryId);
  const kek = random.bytes(32);
  const wrapped = wrapKey(kekWrapping(of.root, epoch), kek, { about: name, random });
  const body = { format: 1, epoch, repositoryId: of.repositoryId, wrapped: toHex(wrapped) };
  await store.create(name, [encodeCheckedJson(body)]);
}

async function readKeks(
  store: ObjectStore,
  repositoryId: string,
  root: Uint8Array,
): Promise<Map<number, Uint8Array>> {
  const keks = new Map<number, Uint8Array>();
  for await (const { name } of store.list(folder)) {
    if (!name.startsWith(`${folder}kek-`) || !name.endsWith(`-${repositoryId}`)) continue;
    const body = decodeCheckedJson(name, await store.get(name));
    const epoch = Number(body.epoch);
    const wrapped = fromHex(String(body.wrapped));
    const kek = unwrapKey(kekWrapping(root, epoch), wrapped, kekName(epoch, repositoryId));
    if (!kek || name !== kekName(epoch, repositoryId)) {
      throw new CodrError('object-damaged', `${name} does not open with the root key`, {
        object: name,
      });
    }
    keks.set(epoch, kek);
  }
  if (keks.size === 0) {
    throw new CodrError('object-missing', `no key-encryption key of ${repositoryId} under keys/`);
  }
  return keks;
}

async function createNew(store: ObjectStore, name: string, body: JsonObject): Promise<void> {
  const outcome = await store.create(name, [encodeCheckedJson(body)]);
  if (outcome === 'exists') {
    throw new CodrError('failed', `${name} exists already: two random ids are equal`, {
      object: name,
    });
  }
}
