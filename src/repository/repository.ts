// An open repository: its keys, its blobs, its lineages. Everything below it is named in the rooms beside
// this file; everything above uses only this.
import { fromHex, transferableBytes } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Spill } from '../base/spill.ts';
import { type PackId, packId } from '../model/id.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Sealer } from './frame/sealer.ts';
import { FingerprintIndex } from './index/fingerprint-index.ts';
import type { UnlockedKeys } from './keys/key-slots.ts';
import {
  type FeatureFlags,
  type FeatureUse,
  type RepositoryConfig,
  requireCut,
  requireFeatures,
} from './keys/repository-config.ts';
import { CommittedLeaves } from './known/committed-leaves.ts';
import { CommittedPacks } from './known/committed-packs.ts';
import { type CutHashing, openCutHashing } from './leaf/cut-hashing.ts';
import type { LeafSink, LeafSource } from './leaf/leaf-store.ts';
import type { Draft } from './lineage/draft.ts';
import type { StateChange, StoredState } from './lineage/entry-codec.ts';
import { Lineage, type LineageContext, type StateText } from './lineage/lineage.ts';
import { OpenedEntries } from './lineage/opened-entries.ts';
import { CondemnedPacksError, type PackRecord, usePacks } from './lineage/pack-table.ts';
import { loadStateTree, storeStateTree } from './lineage/state-tree.ts';
import type { BlobSession, UsedPacks } from './pack/blob-session.ts';
import { BlobStore } from './pack/blob-store.ts';
import type { LeafExchange, LeafExchangeAccess } from './pack/leaf-questions.ts';
import { PackReader } from './pack/pack-reader.ts';
import type { PackContext } from './pack/pack-writer.ts';
import type { BlockSink, BlockSource } from './runs/run-ref.ts';
import { cutParameterSet, defaultCut } from './tree/cut-parameters.ts';
import type { TreeContext } from './tree/tree-level.ts';

export interface RepositoryWorld {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly spill: Spill;
  /** Hashes, compresses and encrypts: worker threads, or this thread. */
  readonly sealer: Sealer;
  /** Names this process in entries. */
  readonly writer: string;
  readonly memoryBytesMax: number;
  /** Shared by those that open one repository in one process; its own unless given. */
  readonly entries?: OpenedEntries;
  /** Stored bytes at which a pack is closed; for tests. */
  readonly packBytesTarget?: number;
  /** Entries of an object of the index; for tests. */
  readonly indexEntriesMax?: number;
  /** Of a peer: by slot 1 for those that it owns, as far as that is known; another array when they change. */
  readonly ownedSlots?: () => Uint8Array | undefined;
}

/** The lineage of the repository itself: sources, policies, collections. */
export const repositoryLineage = 'repository';

/** A segment of a base copy takes seconds to be committed; much longer and its writer may be dead. */
const patienceMsMax = 20_000;
const entryBytesOfTable = 48;
/** Footers of the packs that a check looks at side by side; and frames, of what is read on. */
const anewBytesMax = 32 * 1024 * 1024;

/** Packs that came to be relied on, were condemned or given up; sources that came or went. */
function isNewsToOthers([key]: StateChange): boolean {
  return /^(pack|condemned|lost|source)\//.test(key);
}

export class Repository {
  readonly config: RepositoryConfig;
  readonly unlocked: UnlockedKeys;
  readonly store: ObjectStore;
  readonly blobs: BlobStore;
  readonly index: FingerprintIndex;
  readonly packs: PackReader;
  readonly #world: RepositoryWorld;
  readonly #hashing: CutHashing;
  readonly #packContext: PackContext;
  readonly #entries: OpenedEntries;
  #exchange: LeafExchange | undefined;
  #others: LeafExchangeAccess | undefined;
  readonly #answering: CommittedLeaves[] = [];
  #committedPacks: CommittedPacks | undefined;
  /** Features that a later version has switched on since the repository was made. */
  #raised: FeatureFlags = { read: [], write: [], delete: [] };

  private constructor(
    world: RepositoryWorld,
    opened: { readonly config: RepositoryConfig; readonly unlocked: UnlockedKeys },
    parts: { readonly index: FingerprintIndex; readonly hashing: CutHashing },
  ) {
    this.#world = world;
    this.store = world.store;
    this.config = opened.config;
    this.unlocked = opened.unlocked;
    this.index = parts.index;
    this.#hashing = parts.hashing;
    // As objects they take several times their text.
    this.#entries = world.entries ?? new OpenedEntries(Math.floor(world.memoryBytesMax / 128));
    const cacheBytes = Math.floor(world.memoryBytesMax / 8);
    const context: PackContext = {
      keys: opened.unlocked.keys,
      repositoryId: fromHex(opened.config.repositoryId),
      sealer: world.sealer,
    };
    this.#packContext = context;
    this.packs = new PackReader(world.store, context, {
      footerCacheBytesMax: cacheBytes,
      frameCacheBytesMax: cacheBytes,
    });
    const { store, random, packBytesTarget } = world;
    this.blobs = new BlobStore(
      { store, context, index: this.index, reader: this.packs, random },
      { ...(packBytesTarget && { packBytesTarget }) },
    );
  }

  /** Errors: `format-unknown` when its records are cut otherwise; those of the store. */
  static async open(
    world: RepositoryWorld,
    opened: { readonly config: RepositoryConfig; readonly unlocked: UnlockedKeys },
  ): Promise<Repository> {
    requireCut(opened.config, cutParameterSet);
    const { keys } = opened.unlocked;
    const { clock, memoryBytesMax, indexEntriesMax, ownedSlots: owned } = world;
    const index = await FingerprintIndex.open(world.store, {
      macKey: keys.mac,
      spill: world.spill,
      filterBytesMax: Math.floor(memoryBytesMax / 4),
      ...(indexEntriesMax && { objectEntriesMax: indexEntriesMax }),
      ...(owned && {
        share: { owned, clock, tableBytesMax: Math.floor(memoryBytesMax / 16) },
      }),
    });
    return new Repository(world, opened, { index, hashing: await openCutHashing(keys) });
  }

  /** Leaves, nodes and chunks. */
  get source(): LeafSource {
    return this.blobs;
  }

  /** Blocks of runs that lie in change packs. */
  get blocks(): BlockSource {
    return blocksIn(this.blobs);
  }

  /**
   * All content as it lies in the store now: what was read before, and kept, says nothing of that. What is read through
   * it is kept for whoever goes on with it.
   */
  readAnew(): Pick<Repository, 'source' | 'blocks'> {
    const bytes = Math.min(anewBytesMax, Math.floor(this.#world.memoryBytesMax / 8));
    const reader = new PackReader(this.store, this.#packContext, {
      footerCacheBytesMax: bytes,
      frameCacheBytesMax: bytes,
    });
    const anew = new BlobStore({ ...this.blobs.parts, reader });
    if (this.#others) anew.askOthers(this.#others);
    return { source: anew, blocks: blocksIn(anew) };
  }

  /** A piece of work that stores something and is then committed. Errors: `format-unknown`. */
  session(): RepositorySession {
    this.require('write');
    const startedAtMs = this.#world.clock.now();
    return new RepositorySession(this.blobs.session({ startedAtMs }), this.#hashing);
  }

  /** From now on sessions ask the other peers what they have stored, and commits are told to them. */
  joinExchange(exchange: LeafExchange): void {
    this.#exchange = exchange;
    this.#others = {
      exchange,
      clock: this.#world.clock,
      patienceMs: patienceMsMax,
      isCommitted: ({ id }) => this.#committedPacks?.has(id) ?? false,
    };
    this.blobs.askOthers(this.#others);
  }

  /**
   * What this peer answers others from; it begins to read what is committed at once. `owned`: 1 for each of 4,096
   * slots that it owns, another array when they change.
   */
  committedLeaves(owned: () => Uint8Array | undefined, log: Logger): CommittedLeaves {
    const { clock, memoryBytesMax } = this.#world;
    this.#committedPacks = new CommittedPacks({
      repositoryLineage,
      openLineage: (name, kinds) => this.openLineage(name, kinds),
    });
    const leaves = new CommittedLeaves({
      index: this.index,
      packs: this.#committedPacks,
      owned,
      condemned: (packs) => this.forget(packs),
      clock,
      log,
      entriesMax: Math.floor(memoryBytesMax / 8 / entryBytesOfTable),
    });
    this.#answering.push(leaves);
    void leaves.refresh(); // what fails is done with the next question
    return leaves;
  }

  /** Throws `format-unknown` when `use` needs a feature that this version lacks. */
  require(use: FeatureUse): void {
    requireFeatures(this.config, use);
    requireFeatures({ features: this.#raised }, use);
  }

  /** From now on with the features that the repository's own lineage names: `feature/<use>/<name>`. */
  honour({ state }: Pick<Lineage, 'state'>): void {
    const named = (use: FeatureUse): string[] =>
      state.keys('feature', `${use}/`).map((rest) => rest.slice(use.length + 1));
    this.#raised = { read: named('read'), write: named('write'), delete: named('delete') };
    this.require('read');
  }

  /** Reads packs as they are in the store now: what was read before does not count, and hardly anything is kept. */
  packsAnew(): PackReader {
    return new PackReader(this.store, this.#packContext, {
      footerCacheBytesMax: anewBytesMax,
      frameCacheBytesMax: 0,
    });
  }

  /** Names blobs and stores nothing: for proofs. */
  proofTree(signal: AbortSignal): TreeContext {
    const { sealer } = this.#world;
    const sink: LeafSink = {
      put: async (kind, blobs, slab) => {
        const lengths = blobs.map(({ length }) => length);
        const raw = slab ?? transferableBytes(blobs);
        return (await sealer.hash({ kind, raw, lengths })).ids;
      },
    };
    return { sink, hashing: this.#hashing, cut: defaultCut, signal };
  }

  /** After the entry that lists them is durable: their content is known from now on. */
  committed(used: UsedPacks): void {
    this.blobs.committed(used.newPacks.map(({ id }) => id));
  }

  /** What another process has stored, before a commit relies on it. Errors: `peer-lost`, when it is stored elsewhere. */
  async seen<T extends { readonly used: UsedPacks }>(stored: T): Promise<T> {
    await this.blobs.proveStored(stored.used.newPacks);
    return stored;
  }

  forget(packs: readonly PackId[]): void {
    this.blobs.forget(packs);
  }

  /**
   * `lineage` is a source id or {@link repositoryLineage}. `kinds`: of the values to keep, when it is only read and the
   * rest is of no use.
   */
  async openLineage(lineage: string, kinds?: ReadonlySet<string>): Promise<Lineage> {
    const context: LineageContext = {
      store: this.store,
      clock: this.#world.clock,
      random: this.#world.random,
      repositoryId: this.config.repositoryId,
      keys: this.unlocked.keys,
      lineage,
      entries: this.#entries,
      requireWrite: () => this.require('write'),
      ...(kinds && { kinds }),
      states: {
        save: (texts, draft) => this.#saveState(texts, draft),
        load: (stored) => loadStateTree(stored, this.source, defaultCut.id),
      },
      onCommit: (changes) => {
        if (changes.some(isNewsToOthers)) this.#exchange?.committed([lineage]);
      },
    };
    const opened = await Lineage.open(context, this.#world.writer);
    if (lineage === repositoryLineage && !kinds) this.honour(opened);
    return opened;
  }

  /** What packs that were condemned hold of an older state is stored anew. */
  async #saveState(texts: readonly StateText[], draft: Draft): Promise<StoredState> {
    for (;;) {
      // Nobody else stores states of this lineage, and a commit should not wait for anybody.
      const session = new RepositorySession(this.blobs.session(), this.#hashing);
      const stored = await storeStateTree(texts, session.tree());
      const used = await session.flush();
      try {
        draft.set('stored/current', { packs: String(usePacks(draft, used)) });
        return stored;
      } catch (error) {
        if (!(error instanceof CondemnedPacksError)) throw error;
        this.forget(error.packs);
      }
    }
  }

  /** Content of packs that a lineage holds is known: called for each lineage before anything is stored. */
  learn(lineage: Lineage): void {
    const held = lineage.state.list<PackRecord>('pack').map(([, { id }]) => id);
    this.blobs.forget(lineage.state.keys('lost').map(packId));
    this.blobs.committed(held);
  }

  async close(): Promise<void> {
    for (const leaves of this.#answering) await leaves[Symbol.asyncDispose]();
    await this.index[Symbol.asyncDispose]();
  }
}

function blocksIn(blobs: BlobStore): BlockSource {
  return {
    read: async (refs) => await blobs.readBlocks(refs as Parameters<BlobStore['readBlocks']>[0]),
  };
}

export class RepositorySession {
  readonly #blobs: BlobSession;
  readonly #hashing: CutHashing;

  constructor(blobs: BlobSession, hashing: CutHashing) {
    this.#blobs = blobs;
    this.#hashing = hashing;
  }

  get sink(): LeafSink {
    return this.#blobs;
  }

  get blocks(): BlockSink {
    return this.#blobs.blocks;
  }

  /** Raw bytes put so far that the repository held already. */
  get knownBytes(): number {
    return this.#blobs.counts.knownRawBytes;
  }

  tree(signal?: AbortSignal): TreeContext {
    if (signal) this.#blobs.stopWith(signal);
    return {
      sink: this.#blobs,
      hashing: this.#hashing,
      cut: defaultCut,
      ...(signal && { signal }),
    };
  }

  /** Everything stored so far is durable in packs; the answer belongs into the entry. */
  async flush(): Promise<UsedPacks> {
    return await this.#blobs.flush();
  }
}
