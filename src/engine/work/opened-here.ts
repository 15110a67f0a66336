// What orders of one kind have opened on this peer, each upon a source: opened by the first order that needs it, shared
// with those beside it, kept for those that come soon.
import { CodrError } from '../../base/error.ts';
import type { PackId } from '../../model/id.ts';
import type { SourceContext } from '../source-context.ts';
import type { IdleCache } from './idle-cache.ts';

export class OpenedHere<T extends AsyncDisposable> implements AsyncDisposable {
  readonly #cache: IdleCache<T>;
  readonly #openSource: (lineage: string) => Promise<SourceContext>;

  constructor(cache: IdleCache<T>, openSource: (lineage: string) => Promise<SourceContext>) {
    this.#cache = cache;
    this.#openSource = openSource;
  }

  /** `key`: what is the same for all orders that may share it; `source`: a lineage. */
  async use<R>(
    { key, source }: { readonly key: string; readonly source: string },
    open: (context: SourceContext) => Promise<T>,
    work: (opened: T) => Promise<R>,
  ): Promise<R> {
    const openAll = async (): Promise<T> => await open(await this.#openSource(source));
    return await this.#cache.use(key, openAll, work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cache[Symbol.asyncDispose]();
  }
}

/** What an order names, as this peer sees it. Errors: `peer-lost`, so that the order is done elsewhere. */
export function seenHere<T>(found: T | undefined, what: string): T {
  if (found !== undefined) return found;
  throw new CodrError('peer-lost', `${what} is not seen from this peer`);
}

/** What others have committed meanwhile need not be stored again; what was condemned must be. */
export async function catchUp(
  { repository, lineage }: Pick<SourceContext, 'repository' | 'lineage'>,
  refused: readonly PackId[],
): Promise<void> {
  await lineage.refresh();
  repository.learn(lineage);
  repository.forget(refused);
}
