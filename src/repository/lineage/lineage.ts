// The log of one source, or of the repository itself: create-only entries, each naming the hash of the
// one before. Creating the next entry is the only commit there is; whoever creates it first has won, and
// the others read it and build theirs anew on top. docs/format/lineage.md.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { assert } from '../../base/assert.ts';
import { concatBytes, toHex } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { readTwice } from '../read-twice.ts';
import { Draft } from './draft.ts';
import {
  decodeEntry,
  type EntryContext,
  encodeEntry,
  type LineageEntry,
  type StateChange,
  type StoredState,
} from './entry-codec.ts';
import { type MutableContext, newestMutable } from './mutable.ts';
import type { OpenedEntries } from './opened-entries.ts';
import { checkPacks } from './pack-table.ts';
import { LineageState, type StateView, splitKey } from './state.ts';

export interface LineageContext extends EntryContext {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly states: StateStore;
  readonly entries: OpenedEntries;
  /** Throws when this version must not write here. */
  readonly requireWrite: () => void;
  /** Only these kinds of values are kept: a lineage that is followed for them takes less memory, and is not written to. */
  readonly kinds?: ReadonlySet<string>;
  /** Called with the changes of an entry of ours that is durable. */
  readonly onCommit?: (changes: readonly StateChange[]) => void;
}

/** Keeps a whole state as a tree in tree packs. */
export interface StateStore {
  /** Stores the texts, and notes in `draft` the packs that hold them. */
  save(texts: readonly StateText[], draft: Draft): Promise<StoredState>;
  load(stored: StoredState): AsyncIterable<readonly StateText[]>;
}

export type StateText = readonly [key: string, text: string];

/**
 * Writes an entry's changes into `draft`; called again when another writer came first. False: nothing to
 * commit. What it throws passes through.
 */
export type DraftBuilder = (draft: Draft) => false | undefined | Promise<false | undefined>;

/** Entries a folder, and the most deltas that opening reads. */
export const entriesPerFolder = 4096;
const deltasMax = 255;
const deltaBytesMax = 1024 * 1024;
/** All runs that may be open at a time (64), each of the size that still travels in an entry (1 MiB). */
const attachmentBytesMax = 64 * 1024 * 1024;
/** Entries asked for side by side when opening. */
const readsAtOnce = 32;
const loadAttempts = 3;

interface ReadEntry {
  readonly entry: LineageEntry;
  readonly hash: string;
  /** Size of the object. */
  readonly bytes: number;
}

interface Head {
  readonly seq: number;
  readonly hash: string;
  readonly stateSeq: number;
}

export class Lineage {
  readonly #context: LineageContext;
  readonly #writer: string;
  #state = new LineageState();
  #head: Head = { seq: -1, hash: '', stateSeq: -1 };
  #deltaBytes = 0;
  /** Boundaries only move up. */
  #boundarySeen = 0;
  /** By entry: runs that are read for each dataset of a restore, and by the merge soon after their tick. */
  readonly #attachments = new LRUCache<number, Uint8Array>({
    maxSize: attachmentBytesMax,
    sizeCalculation: (bytes) => bytes.length,
  });
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(context: LineageContext, writer: string) {
    this.#context = context;
    this.#writer = writer;
  }

  /** Reads the newest stored state and the entries after it. An empty lineage is a valid one. */
  static async open(context: LineageContext, writer: string): Promise<Lineage> {
    const lineage = new Lineage(context, writer);
    await lineage.#loadAnew();
    return lineage;
  }

  get state(): StateView {
    return this.#state;
  }

  /** Number of the newest entry read; −1 for an empty lineage. */
  get seq(): number {
    return this.#head.seq;
  }

  get name(): string {
    return this.#context.lineage;
  }

  /** Number of the entry with the newest stored state; −1 when there is none. */
  get stateSeq(): number {
    return this.#head.stateSeq;
  }

  /** Reads what others have committed since. True when there was something. */
  async refresh(): Promise<boolean> {
    return await this.#exclusive(async () => {
      if (await this.#readOn()) return true;
      // Nothing follows, or what follows is so old that it was deleted.
      if ((await this.#boundary()) <= this.#head.seq + 1) return false;
      await this.#loadAnew();
      return true;
    });
  }

  /**
   * Commits what `build` makes. Calls queue up; each sees the entry before it. Returns the entry's number,
   * or undefined when there was nothing to commit.
   */
  async commit(
    build: DraftBuilder,
    options: { readonly withState?: boolean } = {},
  ): Promise<number | undefined> {
    return await this.#exclusive(() => this.#commit(build, options.withState ?? false));
  }

  /** The attachments of one entry: its inline runs. Shared with other callers, so not to be changed. */
  async attachments(seq: number): Promise<Uint8Array> {
    const known = this.#attachments.get(seq);
    if (known) return known;
    const name = entryName(this.#context.lineage, seq);
    const { entry, attachments } = await readTwice(async () =>
      decodeEntry(this.#context, name, await this.#context.store.get(name)),
    );
    if (entry.seq !== seq) throw brokenChain(this.name, seq);
    this.#keepAttachments(seq, attachments);
    return attachments;
  }

  #keepAttachments(seq: number, attachments: Uint8Array): void {
    if (attachments.length > 0) this.#attachments.set(seq, attachments);
  }

  async #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(work, work);
    this.#tail = run.catch(() => {});
    return await run;
  }

  async #commit(build: DraftBuilder, withState: boolean): Promise<number | undefined> {
    this.#context.requireWrite();
    assert(!this.#context.kinds, 'a lineage is written to only with its whole state');
    await this.#readOn();
    for (;;) {
      const seq = this.#head.seq + 1;
      const draft = new Draft(this.#state, seq);
      if ((await build(draft)) === false) return undefined;
      const entry = await this.#entryFor(seq, draft, withState);
      const salt = this.#context.random.bytes(32);
      const bytes = encodeEntry(this.#context, entry, draft.attachments, salt);
      if (await this.#create(entry, bytes)) {
        await this.#checkBoundary(seq);
        const hash = createHash('sha256').update(bytes).digest('hex');
        this.#apply(entry, hash, bytes.length);
        this.#keepAttachments(seq, concatBytes(draft.attachments));
        this.#context.onCommit?.(entry.changes);
        return seq;
      }
      await this.#readOn();
      assert(this.#head.seq >= seq, 'an entry that exists can be read');
    }
  }

  async #entryFor(seq: number, draft: Draft, withState: boolean): Promise<LineageEntry> {
    const due =
      seq > 0 &&
      (withState ||
        seq - Math.max(0, this.#head.stateSeq) > deltasMax ||
        this.#deltaBytes > deltaBytesMax);
    const stored = due ? await this.#context.states.save(this.#state.texts(), draft) : undefined;
    checkPacks(draft);
    return {
      seq,
      parent: this.#head.hash,
      nonce: toHex(this.#context.random.bytes(16)),
      writer: this.#writer,
      wallMs: this.#context.clock.now(),
      stateSeq: stored ? seq : this.#head.stateSeq,
      ...(stored && { state: stored }),
      changes: draft.changes,
    };
  }

  /**
   * True when the object in the store is ours and durable. After an error of unknown outcome an entry that
   * is there is created again: what can be read may be lost with the next power cut, `exists` is an answer.
   */
  async #create(entry: LineageEntry, bytes: Uint8Array): Promise<boolean> {
    const { store } = this.#context;
    const name = entryName(this.#context.lineage, entry.seq);
    try {
      if ((await store.create(name, [bytes])) === 'created') return true;
    } catch (error) {
      const there = await store.stat(name).catch(() => {
        throw error;
      });
      if (!there) throw error;
      await store.create(name, [bytes]);
    }
    const winner = decodeEntry(this.#context, name, await store.get(name)).entry;
    return winner.nonce === entry.nonce;
  }

  /**
   * Below the boundary collection has deleted entries, so a late create there is no commit. When that
   * cannot be read the outcome is unknown, as when a create fails: the next commit reads the entry and sees.
   */
  async #checkBoundary(seq: number): Promise<void> {
    const boundary = await this.#boundary().catch((cause: unknown) => {
      if (!isCodrError(cause, 'store-unreachable')) throw cause;
      const message = `entry ${seq} of ${this.name} is stored; whether it counts cannot be told now`;
      throw new CodrError(cause.code, `${message}: ${cause.message}`, {
        cause,
        facts: cause.facts,
      });
    });
    if (seq >= boundary) return;
    throw new CodrError(
      'lease-lost',
      `entry ${seq} of ${this.name} was written long after its time`,
    );
  }

  async #boundary(): Promise<number> {
    const newest = await newestBoundary(this.#context, this.name, this.#boundarySeen > 0);
    this.#boundarySeen = Math.max(this.#boundarySeen, newest?.value.seq ?? 0);
    return this.#boundarySeen;
  }

  #apply(entry: LineageEntry, hash: string, bytes: number): void {
    this.#state.apply(entry.changes.filter(([key]) => this.#isKept(key)));
    this.#deltaBytes = entry.state ? 0 : this.#deltaBytes + bytes;
    this.#head = { seq: entry.seq, hash, stateSeq: entry.stateSeq };
  }

  #isKept(key: string): boolean {
    const { kinds } = this.#context;
    return !kinds || kinds.has(splitKey(key)[0]);
  }

  async #readOn(): Promise<boolean> {
    let some = false;
    for (;;) {
      const read = await this.#read(this.#head.seq + 1);
      if (!read) return some;
      if (read.entry.parent !== this.#head.hash) throw brokenChain(this.name, read.entry.seq);
      this.#apply(read.entry, read.hash, read.bytes);
      some = true;
    }
  }

  async #read(seq: number): Promise<ReadEntry | undefined> {
    const name = entryName(this.#context.lineage, seq);
    const { store, entries } = this.#context;
    try {
      const read = await readTwice(async () => {
        const bytes = await store.get(name);
        return { ...entries.open(this.#context, name, bytes), bytes: bytes.length };
      });
      if (read.entry.seq !== seq) throw brokenChain(this.name, seq);
      return read;
    } catch (error) {
      if (isCodrError(error, 'object-missing')) return undefined;
      throw error;
    }
  }

  /**
   * Tried again when entries or packs went away meanwhile: collection may have passed by. What was read before stays
   * until all of the new is there: who looks at the state meanwhile, or after a failure, sees no part of it.
   */
  async #loadAnew(): Promise<void> {
    for (let left = loadAttempts - 1; ; left--) {
      const anew = new Lineage(this.#context, this.#writer);
      try {
        await anew.#load();
        this.#state = anew.#state;
        this.#head = anew.#head;
        this.#deltaBytes = anew.#deltaBytes;
        return;
      } catch (error) {
        const mayHaveMoved =
          isCodrError(error, 'lineage-broken') || isCodrError(error, 'object-missing');
        if (!mayHaveMoved || left === 0) throw error;
      }
    }
  }

  async #load(): Promise<void> {
    const headSeq = await newestSeq(this.#context.store, this.#context.lineage);
    if (headSeq === undefined) return;
    const head = await this.#read(headSeq);
    if (!head) throw brokenChain(this.name, headSeq);
    const first = Math.max(0, head.entry.stateSeq);
    for (let from = first; from <= headSeq; from += readsAtOnce) {
      const count = Math.min(readsAtOnce, headSeq + 1 - from);
      const seqs = Array.from({ length: count }, (_, i) => from + i);
      const reads = await Promise.all(seqs.map((n) => (n === headSeq ? head : this.#read(n))));
      for (const [i, read] of reads.entries()) {
        const seq = from + i;
        if (!read) throw brokenChain(this.name, seq);
        if (seq === first) await this.#loadState(read.entry);
        else if (read.entry.parent !== this.#head.hash) throw brokenChain(this.name, seq);
        this.#apply(read.entry, read.hash, read.bytes);
      }
    }
  }

  async #loadState(entry: LineageEntry): Promise<void> {
    if (!entry.state) return;
    for await (const texts of this.#context.states.load(entry.state)) {
      for (const [key, text] of texts) if (this.#isKept(key)) this.#state.setText(key, text);
    }
  }
}

export function entryName(lineage: string, seq: number): string {
  const folder = String(Math.floor(seq / entriesPerFolder)).padStart(9, '0');
  return `lineage/${lineage}/${folder}/${String(seq).padStart(12, '0')}`;
}

/** Value of `mutable/boundary/<lineage>/<n>`: entries below `seq` may be gone. */
export interface BoundaryRecord {
  readonly seq: number;
}

export async function newestBoundary(
  context: MutableContext,
  lineage: string,
  known = false,
): Promise<{ n: number; value: BoundaryRecord } | undefined> {
  return await newestMutable<BoundaryRecord>(context, { what: 'boundary', id: lineage, known });
}

/** Two listings: the folders, then the newest folder that holds something. */
export async function newestSeq(store: ObjectStore, lineage: string): Promise<number | undefined> {
  const folders = await store.listFolders(`lineage/${lineage}/`);
  for (const folder of folders.reverse()) {
    let newest: string | undefined;
    for await (const object of store.list(`lineage/${lineage}/${folder}/`)) newest = object.name;
    if (newest) return Number(newest.slice(newest.lastIndexOf('/') + 1));
  }
  return undefined;
}

function brokenChain(lineage: string, seq: number): CodrError {
  return new CodrError('lineage-broken', `lineage ${lineage} is broken at entry ${seq}`, {
    object: entryName(lineage, seq),
  });
}
