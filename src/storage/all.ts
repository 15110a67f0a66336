// Every kind of store, by the scheme of its URL. A new store is a folder beside this file, one line in
// `schemes`, and one call of the conformance suite.
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodrError } from '../base/error.ts';
import type { Random } from '../base/random.ts';
import { LocalObjectStore } from './local/local-object-store.ts';
import type { ObjectStore, StoreLack } from './object-store.ts';
import type { S3ObjectStore } from './s3/s3-object-store.ts';

/** What stores need from outside. */
export interface StoreContext {
  readonly random: Random;
  readonly onLack?: (lack: StoreLack) => void;
}

interface Scheme {
  open(url: string, context: StoreContext): Promise<ObjectStore>;
  /** Makes the place where it can be made, and proves that it keeps the port's promises. */
  prepare(url: string, context: StoreContext, signal?: AbortSignal): Promise<ObjectStore>;
}

const schemes: Readonly<Record<string, Scheme>> = {
  file: {
    open: async (url, context) => localStore(url, context),
    prepare: async (url, context, signal) => {
      const store = localStore(url, context);
      await store.prepare(signal);
      return store;
    },
  },
  s3: {
    open: openS3,
    prepare: async (url, context, signal) => {
      const store = await openS3(url, context);
      await store.probe(signal);
      return store;
    },
  },
};

/** The SDK is loaded by those alone who use it. */
async function openS3(url: string, context: StoreContext): Promise<S3ObjectStore> {
  const s3 = await import('./s3/open-s3.ts');
  return await s3.openS3(url, context);
}

/**
 * The store at `url`: a path, `file:///path`, or `s3://bucket/prefix`. Nothing is touched yet. Errors: `usage` for a scheme that
 * is not known or a wrong URL.
 */
export async function openStore(url: string, context: StoreContext): Promise<ObjectStore> {
  return schemeOf(url).open(url, context);
}

/** For `init`: as {@link openStore}, and makes the place. Errors: `store-unfit`, `store-unreachable` too. */
export async function prepareStore(
  url: string,
  context: StoreContext,
  signal?: AbortSignal,
): Promise<ObjectStore> {
  return schemeOf(url).prepare(url, context, signal);
}

function schemeOf(url: string): Scheme {
  const name = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(url)?.[1]?.toLowerCase() ?? 'file';
  const scheme = Object.hasOwn(schemes, name) ? schemes[name] : undefined;
  if (scheme && url !== '') return scheme;
  // The rest of the URL may hold a secret: only the scheme is named.
  const message =
    url === '' ? 'the URL of the repository is empty' : `no store is known by "${name}:"`;
  throw new CodrError('usage', message, {
    remedy: `give a path, or a URL that begins with ${Object.keys(schemes).join(':, ')}:`,
  });
}

function localStore(url: string, context: StoreContext): LocalObjectStore {
  return new LocalObjectStore(pathOf(url), context.random);
}

function pathOf(url: string): string {
  if (!/^file:/i.test(url)) return resolve(url);
  try {
    return resolve(fileURLToPath(url));
  } catch (error) {
    throw new CodrError('usage', `"${url}" does not name a folder of this machine`, {
      object: url,
      cause: error,
      remedy: 'write file:///path',
    });
  }
}
