// Whether a replica set has strength left to be read at full speed, by what its primary says of itself: operations
// that wait for their turn, writers that are held back, a cache that cannot be written away, writes that take longer.
import type { Document } from 'mongodb';
import type { MongodbConnection } from './connection.ts';

/** Operations that wait for a ticket or a lock at one look. */
const waitingMax = 8;
/** Above these shares of the cache the server lets its clients do the work of writing it away. */
const dirtyMax = 0.2;
const usedMax = 0.95;
/** Writes between two looks that say something about their latency. */
const writesLeast = 20;
/**
 * Writes are slow when they take so many times what they took at best, and at least so long. Twice the best is seen as
 * often while nothing is copied on a host that others use too; four times is not (decision 0035).
 */
const slowTimes = 4;
const slowMsLeast = 10;
/** What writes took at best is forgotten by so much a look: load that is not ours counts for about a minute. */
const forgetting = 1.02;

/** Parts of `serverStatus` that are large and not asked for. */
const leftOut = { metrics: 0, locks: 0, tcmalloc: 0, transactions: 0, mirroredReads: 0, repl: 0 };

export class SourcePressure {
  #writes: { readonly count: number; readonly ms: number } | undefined;
  #bestMs = Number.POSITIVE_INFINITY;

  /** Why the source is to be read more slowly; undefined: no reason. Errors: those of the connection. */
  async look(connection: MongodbConnection, signal: AbortSignal): Promise<string | undefined> {
    return this.judge(await connection.admin({ serverStatus: 1, ...leftOut }, signal));
  }

  /** Of one look's `serverStatus`. Exported for tests. */
  judge(status: Document): string | undefined {
    const slow = this.#slowWrites(status);
    const { currentQueue } = status.globalLock ?? {};
    const waiting = Number(currentQueue?.total ?? 0);
    if (waiting >= waitingMax) return `${waiting} operations wait for their turn`;
    if (status.flowControl?.isLagged) return 'its members lag, and it holds its writers back';
    const cache = status.wiredTiger?.cache ?? {};
    const bytesMax = Number(cache['maximum bytes configured'] ?? 0);
    const share = (name: string): number => Number(cache[name] ?? 0) / Math.max(1, bytesMax);
    const dirty = share('tracked dirty bytes in the cache');
    if (dirty >= dirtyMax) return `${percent(dirty)} of its cache is to be written`;
    const used = share('bytes currently in the cache');
    if (used >= usedMax) return `${percent(used)} of its cache is in use`;
    return slow;
  }

  #slowWrites({ opLatencies }: Document): string | undefined {
    const { ops = 0, latency = 0 } = opLatencies?.writes ?? {};
    const now = { count: Number(ops), ms: Number(latency) / 1000 };
    const before = this.#writes;
    this.#writes = now;
    const writes = now.count - (before?.count ?? now.count);
    if (!before || writes < writesLeast) return undefined;
    const meanMs = (now.ms - before.ms) / writes;
    this.#bestMs = Math.min(meanMs, this.#bestMs * forgetting);
    if (meanMs < slowMsLeast || meanMs < this.#bestMs * slowTimes) return undefined;
    return `its writes take ${Math.round(meanMs)} ms, ${this.#bestMs.toFixed(1)} ms at best`;
  }
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
