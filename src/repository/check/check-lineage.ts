// One lineage, entry by entry from its boundary on: readable, authentic, chained, without a gap; and the
// state that they give.
import { createHash } from 'node:crypto';
import { CodrError, isCodrError } from '../../base/error.ts';
import { isInTheMaking } from '../collect/condemned.ts';
import { decodeEntry, type EntryContext } from '../lineage/entry-codec.ts';
import { entryName, type Lineage, newestBoundary } from '../lineage/lineage.ts';
import { type Repository, repositoryLineage } from '../repository.ts';
import { Problems } from './problems.ts';

export interface CheckedLineage {
  readonly name: string;
  /** Absent when its state cannot be read. */
  readonly lineage?: Lineage;
  readonly entries: number;
  readonly bytesRead: number;
}

const putBack = 'put the entry back from a copy of the repository';
const entriesAtOnce = 32;

export async function checkLineage(
  repository: Repository,
  name: string,
  problems: Problems,
  signal: AbortSignal,
): Promise<CheckedLineage> {
  const chain = new ChainCheck(repository, name, problems);
  const seqs = await chain.list(signal);
  for (let at = 0; at < seqs.length; at += entriesAtOnce) {
    signal.throwIfAborted();
    await chain.read(seqs.slice(at, at + entriesAtOnce));
  }
  await chain.reportMissing();
  const { bytesRead } = chain;
  const lineage = await openState(repository, name, problems);
  return { name, ...(lineage && { lineage }), entries: seqs.length, bytesRead };
}

async function openState(
  repository: Repository,
  name: string,
  problems: Problems,
): Promise<Lineage | undefined> {
  try {
    return await repository.openLineage(name);
  } catch (error) {
    if (!(error instanceof CodrError)) throw error;
    problems.add({
      object: error.object?.includes('/') ? error.object : `lineage/${name}/`,
      problem: `the state of ${name} cannot be read: ${error.message}`,
      affected: [`every point of ${name}`],
      remedy: 'put what is missing back from a copy of the repository, then check again',
    });
    return undefined;
  }
}

/**
 * Of every lineage in the store, the repository's own first. What is left of a source that was removed is no matter: a
 * collection frees it, and may have begun to.
 */
export async function checkLineages(
  repository: Repository,
  problems: Problems,
  signal: AbortSignal,
): Promise<CheckedLineage[]> {
  const own = await checkLineage(repository, repositoryLineage, problems, signal);
  const checked = [own];
  for (const name of await repository.store.listFolders('lineage/')) {
    if (name === repositoryLineage) continue;
    const found = new Problems();
    const one = await checkLineage(repository, name, found, signal);
    // Without an entry of its own nobody knows what is registered.
    const state = own.entries > 0 ? own.lineage?.state : undefined;
    const isRegistered = !state || state.get(`source/${name}`) !== undefined;
    const isMatter = isRegistered || (one.lineage && isInTheMaking(one.lineage.state));
    if (isMatter) checked.push(one);
    for (const problem of isMatter ? found.list : []) problems.add(problem);
  }
  return checked;
}

class ChainCheck {
  readonly #missing: number[] = [];
  bytesRead = 0;
  readonly #repository: Repository;
  readonly #context: EntryContext;
  readonly #problems: Problems;
  #last: { readonly seq: number; readonly hash: string } | undefined;

  constructor(repository: Repository, lineage: string, problems: Problems) {
    const { config, unlocked } = repository;
    this.#repository = repository;
    this.#context = { repositoryId: config.repositoryId, keys: unlocked.keys, lineage };
    this.#problems = problems;
  }

  /** Numbers of the entries from the boundary on; gaps between them are problems. */
  async list(signal: AbortSignal): Promise<number[]> {
    const { store } = this.#repository;
    const { lineage } = this.#context;
    const first = await this.#boundary();
    const seqs: number[] = [];
    let next: number | undefined = first;
    for await (const { name } of store.list(`lineage/${lineage}/`, signal)) {
      const seq = Number(name.slice(name.lastIndexOf('/') + 1));
      if (first !== undefined && seq < first) continue;
      next ??= seq;
      for (; next < seq; next++) this.#missing.push(next);
      next = seq + 1;
      seqs.push(seq);
    }
    return seqs;
  }

  async read(seqs: readonly number[]): Promise<void> {
    const { store } = this.#repository;
    const names = seqs.map((seq) => entryName(this.#context.lineage, seq));
    const objects = await Promise.all(
      names.map((name) => store.get(name).catch((error: unknown) => missing(error))),
    );
    for (const [i, bytes] of objects.entries()) {
      this.#check(seqs[i] as number, names[i] as string, bytes);
    }
  }

  #check(seq: number, object: string, bytes: Uint8Array | undefined): void {
    if (!bytes) {
      this.#missing.push(seq);
      return;
    }
    this.bytesRead += bytes.length;
    try {
      const { entry } = decodeEntry(this.#context, object, bytes);
      const follows = this.#last?.seq !== seq - 1 || this.#last.hash === entry.parent;
      if (entry.seq !== seq)
        throw new CodrError('lineage-broken', `it says that it is ${entry.seq}`);
      if (!follows)
        throw new CodrError('lineage-broken', 'it follows another entry than the one before');
      this.#last = { seq, hash: createHash('sha256').update(bytes).digest('hex') };
    } catch (error) {
      if (!(error instanceof CodrError)) throw error;
      this.#problems.add({ object, problem: error.message, remedy: putBack });
    }
  }

  /** After all was read: a collection beside it moves the boundary before it deletes what is below. */
  async reportMissing(): Promise<void> {
    if (this.#missing.length === 0) return;
    const first = (await this.#boundary()) ?? 0;
    for (const seq of this.#missing) {
      if (seq < first) continue;
      const object = entryName(this.#context.lineage, seq);
      this.#problems.add({ object, problem: 'it is missing', remedy: putBack });
    }
  }

  async #boundary(): Promise<number | undefined> {
    const { store, unlocked } = this.#repository;
    return await boundaryOf({ store, keys: unlocked.keys }, this.#context.lineage);
  }
}

/** A damaged boundary is found among the changing objects; entries then count from the first there is. */
async function boundaryOf(
  context: Parameters<typeof newestBoundary>[0],
  lineage: string,
): Promise<number | undefined> {
  try {
    return (await newestBoundary(context, lineage))?.value.seq ?? 0;
  } catch (error) {
    if (isCodrError(error, 'object-damaged')) return undefined;
    throw error;
  }
}

function missing(error: unknown): undefined {
  if (isCodrError(error, 'object-missing')) return undefined;
  throw error;
}
