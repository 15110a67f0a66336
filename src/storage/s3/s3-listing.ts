// Lists of a bucket, page by page. Servers that keep folders as trees list by folder where S3 lists by whole key
// (`a/b` before `a-b`), and go on naming folders that are empty: the one is sorted here, the other looked into.
import {
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { mapLimit } from '../../base/async.ts';
import { CodrError } from '../../base/error.ts';
import { temporaryPrefix } from '../object-name.ts';
import { isTransientStoreError } from '../retrying-object-store.ts';
import { sent } from './s3-error.ts';
import type { S3Place } from './s3-url.ts';

/** Keys are told without the prefix of the store. */
interface ListedKey {
  readonly key: string;
  readonly size: number;
  readonly modified: Date | undefined;
}

/** Folders that are looked into side by side. */
const looksAtOnce = 8;
const pageAttempts = 3;

export class S3Listing {
  /** Lists come by folder: each is listed by itself. */
  walks = false;
  readonly #client: S3Client;
  readonly #place: S3Place;

  constructor(client: S3Client, place: S3Place) {
    this.#client = client;
    this.#place = place;
  }

  /** Ascending by key. Errors: `store-unfit` where the server's order is another and it was not asked before. */
  async *objects(prefix: string, signal?: AbortSignal): AsyncGenerator<ListedKey> {
    if (this.walks) return yield* this.#walk(prefix, signal);
    let last = '';
    for await (const page of this.#pages(prefix, { signal })) {
      for (const one of this.#keysOf(page)) {
        // Probes of others come and go in the way that they ask for.
        if (!one.key.startsWith(temporaryPrefix)) {
          if (one.key < last) throw this.#disordered(last, one.key);
          last = one.key;
        }
        yield one;
      }
    }
  }

  /** Names of the folders directly below `prefix` that hold something, ascending. */
  async folders(prefix: string, signal?: AbortSignal): Promise<string[]> {
    const paths: string[] = [];
    for await (const page of this.#pages(prefix, { delimiter: '/', signal })) {
      paths.push(...this.#foldersOf(page));
    }
    const isTrusted = this.#place.endpoint === undefined;
    const full = await mapLimit(paths, looksAtOnce, async (path) => {
      return isTrusted || (await this.#holdsSomething(path, signal));
    });
    const names = paths.filter((_, i) => full[i]).map((path) => path.slice(prefix.length, -1));
    return names.sort();
  }

  /** True when all below `prefix` comes in the order of keys. */
  async isOrdered(prefix: string, signal?: AbortSignal): Promise<boolean> {
    const keys: string[] = [];
    for await (const page of this.#pages(prefix, { signal })) {
      keys.push(...this.#keysOf(page).map(({ key }) => key));
    }
    return keys.every((key, i) => i === 0 || (keys[i - 1] as string) < key);
  }

  async *#walk(prefix: string, signal?: AbortSignal): AsyncGenerator<ListedKey> {
    const here: (ListedKey | string)[] = [];
    for await (const page of this.#pages(prefix, { delimiter: '/', signal })) {
      here.push(...this.#keysOf(page), ...this.#foldersOf(page));
    }
    const keyOf = (one: ListedKey | string): string => (typeof one === 'string' ? one : one.key);
    here.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    for (const one of here) {
      if (typeof one === 'string') yield* this.#walk(one, signal);
      else yield one;
    }
  }

  async #holdsSomething(prefix: string, signal?: AbortSignal): Promise<boolean> {
    for await (const page of this.#pages(prefix, { keysMax: 1, signal })) {
      if ((page.Contents ?? []).length > 0) return true;
    }
    return false;
  }

  #keysOf(page: ListObjectsV2CommandOutput): ListedKey[] {
    return (page.Contents ?? []).map(({ Key = '', Size = 0, LastModified }) => {
      const key = Key.slice(this.#place.prefix.length);
      return { key, size: Size, modified: LastModified };
    });
  }

  /** With the slash at their end. */
  #foldersOf(page: ListObjectsV2CommandOutput): string[] {
    const start = this.#place.prefix.length;
    return (page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix.slice(start));
  }

  async *#pages(
    prefix: string,
    how: {
      readonly delimiter?: string;
      readonly keysMax?: number;
      readonly signal: AbortSignal | undefined;
    },
  ): AsyncGenerator<ListObjectsV2CommandOutput> {
    const { bucket, prefix: own } = this.#place;
    const { delimiter, keysMax, signal } = how;
    let token: string | undefined;
    do {
      signal?.throwIfAborted();
      const command = new ListObjectsV2Command({
        ...{ Bucket: bucket, Prefix: own + prefix, Delimiter: delimiter, MaxKeys: keysMax },
        ContinuationToken: token,
      });
      const page = await this.#page(command, signal);
      yield page;
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** Asked for again at once when it does not come: who tries again later begins the whole list anew. */
  async #page(
    command: ListObjectsV2Command,
    signal: AbortSignal | undefined,
  ): Promise<ListObjectsV2CommandOutput> {
    const object = `s3://${this.#place.bucket}/${command.input.Prefix}`;
    for (let attempt = 1; ; attempt++) {
      try {
        const page = await sent('list', object, signal, (abort) => {
          return this.#client.send(command, abort);
        });
        return wholePage(page, object, command.input.ContinuationToken);
      } catch (error) {
        if (attempt >= pageAttempts || !isTransientStoreError(error)) throw error;
      }
    }
  }

  #disordered(last: string, key: string): CodrError {
    this.walks = true;
    const message = `the server lists ${key} after ${last}, not in the order of names`;
    // None of CODR's own names is another's beginning, so a foreign one lies among them.
    const remedy = 'give the repository a prefix of its own, without objects of others';
    return new CodrError('store-unfit', message, { object: `s3://${this.#place.bucket}`, remedy });
  }
}

/**
 * A list that ends too early looks like a store from which objects are gone, and what nobody lists is deleted: an answer
 * that does not say whether it is the last page, or not the way to the next one, is none.
 */
function wholePage(
  page: ListObjectsV2CommandOutput,
  object: string,
  before: string | undefined,
): ListObjectsV2CommandOutput {
  const { IsTruncated: goesOn, NextContinuationToken: next } = page;
  if (goesOn === false || (goesOn && next && next !== before)) return page;
  const what = goesOn ? 'a page of a list without the way to the next one' : 'no list';
  throw new CodrError('store-unreachable', `cannot list ${object}: the server answered ${what}`, {
    object,
  });
}
