// The port to every store: named, immutable objects. Create if absent is the only way to write; there is
// no overwrite and no compare-and-set. `conformance.ts` beside this file is the contract as tests.

export interface StoredObject {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The store's own clock, ms since 1970. Good for ages of days, for nothing finer. */
  readonly modifiedMs: number;
}

/**
 * Part of an object: from `offset`, or the last `suffix` bytes. What lies past the end is left out: the
 * answer is shorter, or empty.
 */
export type ByteRange =
  | { readonly offset: number; readonly length: number }
  | { readonly suffix: number };

/**
 * Names are relative paths of `[A-Za-z0-9._-]` parts joined by `/`; no name is the folder of another. A
 * wrong name is a broken promise. Errors: `object-missing`, `store-unreachable` (with the cause; its fact
 * `transient` is false where trying again is of no use, `refuses` is `full` or `rights` where it takes nothing new
 * though it may be read); an aborted signal rejects with its reason.
 */
export interface ObjectStore {
  /** For messages; holds no secret. */
  readonly url: string;
  /**
   * Stores `body` under `name` unless the name is taken. Once `created` is returned the object is durable
   * and visible to everyone, whole; so it is once `exists` is. On an error the outcome is unknown: create
   * it again, and compare what is there with what was meant.
   */
  create(
    name: string,
    body: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<'created' | 'exists'>;
  /** The object's bytes, owned by the caller. */
  get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array>;
  /** Undefined when there is no such object. */
  stat(name: string, signal?: AbortSignal): Promise<StoredObject | undefined>;
  /** Every object whose name begins with the folder `prefix` (ends in `/`, or empty), ascending by name. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject>;
  /** Names of the direct subfolders of `prefix` that hold an object, without slashes, ascending. */
  listFolders(prefix: string, signal?: AbortSignal): Promise<string[]>;
  /** Removes the object; no error when it is not there. */
  remove(name: string, signal?: AbortSignal): Promise<void>;
  /**
   * Removes what writers that crashed before `beforeMs` (ms since 1970) left unseen; gives the number of
   * files. Absent where a crash leaves nothing. Give a time a day ago: a slow writer may be alive.
   */
  sweep?(beforeMs: number, signal?: AbortSignal): Promise<number>;
}

/** What of its usual promises a store was seen not to keep, though CODR can do without. */
export interface StoreLack {
  readonly what: string;
  readonly consequence: string;
}
