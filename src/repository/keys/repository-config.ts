// The `config` object: what a repository is, before any key is open. It is created last by `init`, so a
// repository exists exactly when its config does. Readable without keys; its MAC is checked once they are
// open. Layout: docs/format/config.md.
import { createHmac } from 'node:crypto';
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
import { createKeys, openKeys, type SlotOptions, type UnlockedKeys } from './key-slots.ts';
import type { Credential } from './key-wrap.ts';
import type { RepositoryKeys } from './repository-keys.ts';

/** Cut parameters by name, all safe integers; `leaf/` and `tree/` say what they mean. */
type CutParameterSet = Readonly<Record<string, number>>;

/** Names of features that a program must know before it reads, writes or deletes here. */
export interface FeatureFlags {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly delete: readonly string[];
}

export interface RepositoryConfig {
  readonly format: 1;
  /** 16 random bytes, hex. */
  readonly repositoryId: string;
  readonly cut: CutParameterSet;
  readonly features: FeatureFlags;
  /** HMAC-SHA256 under K_mac of the canonical JSON of all fields above, hex. */
  readonly mac: string;
}

export type FeatureUse = keyof FeatureFlags;

/** What this version knows; a repository that names another flag needs a newer one. */
const knownFeatures: FeatureFlags = { read: [], write: [], delete: [] };

const configName = 'config';

export interface OpenedRepository {
  readonly config: RepositoryConfig;
  readonly unlocked: UnlockedKeys;
}

/**
 * Creates keys and config. No credential: nothing will ever be encrypted against the holder of the store.
 * Throws `repository-exists`; key objects of a lost race stay behind and are ignored by their id.
 */
export async function createRepository(
  store: ObjectStore,
  credential: Credential | undefined,
  options: SlotOptions & { readonly cut: CutParameterSet; readonly random: Random },
): Promise<OpenedRepository> {
  if (await store.stat(configName)) throw existsAlready(store);
  const repositoryId = toHex(options.random.bytes(16));
  const unlocked = await createKeys(store, repositoryId, credential, options);
  const features: FeatureFlags = { read: [], write: [], delete: [] };
  const clear = { format: 1, repositoryId, cut: options.cut, features } as const;
  const config: RepositoryConfig = { ...clear, mac: macOf(clear, unlocked.keys) };
  const body = encodeCheckedJson(config as unknown as JsonObject);
  if ((await store.create(configName, [body])) === 'exists') {
    const there = await store.get(configName);
    if (Buffer.compare(there, body) !== 0) throw existsAlready(store);
  }
  return { config, unlocked };
}

/** Reads the config, opens the keys, checks the MAC. Errors: those of the three steps. */
export async function openRepository(
  store: ObjectStore,
  credential: Credential | undefined,
): Promise<OpenedRepository> {
  const config = await readConfig(store);
  const verify = (keys: RepositoryKeys): void => checkConfig(config, keys);
  const unlocked = await openKeys(store, config.repositoryId, credential, verify);
  return { config, unlocked };
}

/**
 * The config, before keys are open. Errors: `repository-missing`, `object-damaged`, `format-unknown` when
 * reading needs a feature that this version lacks.
 */
export async function readConfig(store: ObjectStore): Promise<RepositoryConfig> {
  let bytes: Uint8Array;
  try {
    bytes = await store.get(configName);
  } catch (error) {
    if (!isCodrError(error, 'object-missing')) throw error;
    throw new CodrError('repository-missing', `there is no repository at ${store.url}`, {
      cause: error,
    });
  }
  const config = decodeCheckedJson(configName, bytes) as unknown as RepositoryConfig;
  if (config.format !== 1) {
    throw new CodrError('format-unknown', `the repository has format ${config.format}, not 1`);
  }
  requireFeatures(config, 'read');
  return config;
}

/** Throws `format-unknown` when `use` of the repository needs a feature that this version lacks. */
export function requireFeatures(
  { features }: Pick<RepositoryConfig, 'features'>,
  use: FeatureUse,
): void {
  const unknown = features[use].filter((name) => !knownFeatures[use].includes(name));
  if (unknown.length === 0) return;
  throw new CodrError('format-unknown', `to ${use} here needs ${unknown.join(', ')}`, {
    facts: { unknown },
  });
}

/** Throws `format-unknown` when records are cut otherwise here: nothing stored would be found again. */
export function requireCut(config: RepositoryConfig, known: CutParameterSet): void {
  if (canonicalJson(config.cut) === canonicalJson(known)) return;
  throw new CodrError('format-unknown', 'the repository cuts records in a way of its own', {
    object: configName,
    facts: { cut: config.cut },
  });
}

/** Throws `object-damaged` when the config is not the one that the holder of the keys wrote. */
function checkConfig(config: RepositoryConfig, keys: RepositoryKeys): void {
  const { mac, ...clear } = config;
  const wanted = fromHex(macOf(clear, keys));
  if (Buffer.compare(wanted, fromHex(mac)) !== 0) {
    throw new CodrError('object-damaged', 'config does not carry the MAC of its repository', {
      object: configName,
    });
  }
}

function macOf(clear: Omit<RepositoryConfig, 'mac'>, keys: RepositoryKeys): string {
  const text = canonicalJson(clear as unknown as JsonObject);
  return createHmac('sha256', keys.mac).update('codr/1/config\0').update(text).digest('hex');
}

function existsAlready(store: ObjectStore): CodrError {
  return new CodrError('repository-exists', `there is a repository at ${store.url} already`);
}
