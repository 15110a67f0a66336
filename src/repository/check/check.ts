// `codr check`: looks at every kind of object, says what is damaged or missing, what is hurt by it and what
// to do. Structure by default; `readDataPercent` of the retained packs are read and decoded whole. What no
// trace is left of cannot be missed: the newest entry of a lineage, a key slot, a pin.
import { CodrError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import { type PackId, packId } from '../../model/id.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { Credential } from '../keys/key-wrap.ts';
import {
  type OpenedRepository,
  type RepositoryConfig,
  requireFeatures,
} from '../keys/repository-config.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { PackSet } from '../lineage/pack-set.ts';
import { type PackRecord, packKey, packRecords, retainedPacks } from '../lineage/pack-table.ts';
import type { SegmentRecord, StoredStateRecord } from '../lineage/records.ts';
import type { StateView } from '../lineage/state.ts';
import { type ListedPack, listPacks } from '../pack/listed-packs.ts';
import { type PackRef, packName } from '../pack/pack-format.ts';
import { type Repository, repositoryLineage } from '../repository.ts';
import { findDangling, reportDangling } from './check-dangling.ts';
import { type IndexFindings, indexAgain, readIndex, uncoveredPacks } from './check-index.ts';
import { checkKeys } from './check-keys.ts';
import { type CheckedLineage, checkLineages } from './check-lineage.ts';
import { checkMutables } from './check-mutables.ts';
import { checkPacks, type PackLookers } from './check-packs.ts';
import { checkRuns } from './check-runs.ts';
import { checkTrees } from './check-trees.ts';
import type { Describe } from './describe.ts';
import { withIndexOverlay, withoutDamaged } from './index-overlay.ts';
import { lostWhole, type PackLoss } from './look-at-packs.ts';
import { FoundLosses, type Losses } from './losses.ts';
import { type Problem, Problems } from './problems.ts';

export interface CheckWorld {
  readonly store: ObjectStore;
  readonly credential: Credential | undefined;
  readonly random: Random;
  /** Opens the repository over the given store, whose index is whole. */
  readonly open: (store: ObjectStore, opened: OpenedRepository) => Promise<Repository>;
  /** Who looks at packs; it counts what this process has seen. */
  readonly lookers: PackLookers;
  /** Does `work` while nothing that the lineage retains is deleted, and reads the lineage on first. */
  readonly pinned: <T>(
    repository: Repository,
    lineage: Lineage,
    work: () => Promise<T>,
  ) => Promise<T>;
  /**
   * Marks packs as given up: first in the repository's own lineage, from where whatever is registered later has it, then
   * in those of all sources but `unread`. Called once, with `repair`, before it is looked at what needs them.
   */
  readonly noteLost: (packs: readonly PackId[], unread: ReadonlySet<string>) => Promise<void>;
  /** Words for people; given the state of the repository's own lineage, which names the sources. */
  readonly describe: (repository: StateView | undefined) => Describe;
  readonly signal: AbortSignal;
}

export interface CheckOptions {
  /** Share of the retained packs whose bytes are read: 0 to 100. */
  readonly readDataPercent: number;
  /** Makes damaged or missing index objects again. */
  readonly repair: boolean;
}

export interface CheckOutcome {
  readonly packs: number;
  readonly commits: number;
  readonly bytesRead: number;
  readonly problems: readonly Problem[];
  /** What of it cannot be made again. */
  readonly losses: Losses;
  /** An earlier repair has given up some of it, and what it did besides is not known here. */
  readonly goesOn: boolean;
}

const noLosses: Losses = { packs: [], lineages: [] };
const putBack = 'put what is missing back from a copy of the repository';
const remedies = {
  look:
    `${putBack}, or give it up by \`codr check --repair\`: times that cannot be made of the rest become ` +
    'holes, and the next backup of the source copies the datasets anew',
  repair:
    'it is given up: times that cannot be made of the rest are holes now, see `codr points`, and the next ' +
    'backup copies the datasets anew',
  mended: 'nothing: it is given up, and every time that needed it is made of the rest',
} as const;

/** After a repair that cost no source any time: what was given up is mended. */
export function mendedProblems(problems: readonly Problem[]): Problem[] {
  return problems.map((problem) =>
    problem.remedy === remedies.repair
      ? { ...problem, remedy: remedies.mended, repaired: true }
      : problem,
  );
}

/** Errors: those of the store, and of a key that does not fit. Damage is an answer, not an error. */
export async function check(world: CheckWorld, options: CheckOptions): Promise<CheckOutcome> {
  const problems = new Problems();
  const opened = await checkKeys(world.store, world.credential, problems);
  if (!opened) {
    const nothing = { packs: 0, commits: 0, bytesRead: 0, losses: noLosses, goesOn: false };
    return { ...nothing, problems: problems.list };
  }
  const { store, signal } = world;
  const listed = await listPacks(store, signal);
  const index = await readIndex(store, opened.unlocked.keys.mac, signal);
  if (options.repair) requireRepairable(opened.config, index);
  // Without repair nothing reaches the store: what is hidden goes in memory alone.
  const usable = options.repair ? store : withIndexOverlay(store);
  const { sound, drop } = withoutDamaged(usable, [...index.damaged, ...index.newer]);
  const repository = await world.open(sound, opened);
  try {
    const missing = uncoveredPacks(listed.values(), index);
    const salt = world.random.bytes(16);
    const found = await indexAgain(repository, missing, { salt, signal });
    await drop(signal);
    return await new Check(world, options, repository, problems).run(listed, index, found);
  } finally {
    await repository.close();
  }
}

/** Throws `format-unknown` before anything is removed that a newer version put there. */
function requireRepairable(config: RepositoryConfig, { newer }: IndexFindings): void {
  requireFeatures(config, 'write');
  requireFeatures(config, 'delete');
  const [object] = newer;
  if (object === undefined) return;
  throw new CodrError('format-unknown', `${object} was written by a newer version`, { object });
}

class Check {
  readonly #world: CheckWorld;
  readonly #options: CheckOptions;
  readonly #repository: Repository;
  readonly #problems: Problems;
  #givesUp = false;
  /** Lineages of which no entry is there. */
  readonly #missing = new Set<string>();

  constructor(
    world: CheckWorld,
    options: CheckOptions,
    repository: Repository,
    problems: Problems,
  ) {
    this.#world = world;
    this.#options = options;
    this.#repository = repository;
    this.#problems = problems;
  }

  async run(
    listed: ReadonlyMap<PackId, ListedPack>,
    index: IndexFindings,
    indexed: ReadonlySet<PackId>,
  ): Promise<CheckOutcome> {
    const lineages = await this.#checkLineages();
    const uses = this.#options.repair ? (['write', 'delete'] as const) : [];
    for (const use of uses) this.#repository.require(use);
    const open = lineages.flatMap(({ lineage }) => lineage ?? []);
    const pinned = open.reduce<() => Promise<CheckOutcome>>(
      (work, lineage) => () => this.#world.pinned(this.#repository, lineage, work),
      () => this.#checkAll(lineages, listed, index, indexed),
    );
    return await pinned();
  }

  async #checkAll(
    lineages: readonly CheckedLineage[],
    listed: ReadonlyMap<PackId, ListedPack>,
    index: IndexFindings,
    indexed: ReadonlySet<PackId>,
  ): Promise<CheckOutcome> {
    const repositoryOwn = lineages.find(({ name }) => name === repositoryLineage);
    const own = repositoryOwn?.lineage?.state;
    const states = lineages.flatMap(({ lineage }) => lineage?.state ?? []);
    const retained = retainedIn(states);
    this.#reportIndex(index, indexed, retained);
    this.#reportLost(index, listed, lineages);
    const chosen = this.#choose([...retained.keys()]);
    const { signal } = this.#world;
    // Where nobody can be told what is given up, nothing is; nor is a lineage begun anew for it whose entries are gone.
    this.#givesUp = this.#options.repair && own !== undefined && repositoryOwn?.entries !== 0;
    const { lookers } = this.#world;
    const options = { chosen, lookers, problems: this.#problems, remedy: this.#remedy, signal };
    const packs = await checkPacks(this.#repository, retained, listed, options);
    const dangling = await findDangling(
      this.#repository,
      index,
      { listed, retained, states },
      signal,
    );
    const lost = new Map(packs.losses);
    for (const { id } of dangling) lost.set(id, lostWhole);
    const before = states.flatMap((state) => state.keys('lost'));
    const now = await this.#noted(lineages, [...lost.keys()]);
    this.#reportDangling(dangling, now);
    const losses = await this.#checkContents(now, lost, own);
    // What was given up and is still there for the sake of its neighbours.
    for (const id of before) {
      const record = retained.get(packId(id));
      if (record) this.#problems.forgive(packName(record));
    }
    await checkMutables(
      { store: this.#world.store, keys: this.#repository.unlocked.keys },
      own,
      this.#problems,
    );
    const entryBytes = lineages.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
    return {
      packs: listed.size,
      commits: lineages.reduce((sum, { entries }) => sum + entries, 0),
      bytesRead: index.bytesRead + packs.bytesRead + entryBytes,
      problems: this.#problems.list,
      losses: this.#options.repair && !this.#givesUp ? noLosses : losses,
      goesOn: before.some((id) => lost.has(packId(id))),
    };
  }

  get #remedy(): string {
    return this.#givesUp ? remedies.repair : remedies.look;
  }

  /**
   * Once the packs are marked as given up nobody comes to rely on them any more: what does so by now, also in sources
   * that were registered meanwhile, is all that is hurt.
   */
  async #noted(
    lineages: readonly CheckedLineage[],
    packs: readonly PackId[],
  ): Promise<readonly CheckedLineage[]> {
    if (!this.#givesUp || packs.length === 0) return lineages;
    const unread = lineages.filter(({ lineage }) => !lineage).map(({ name }) => name);
    await this.#world.noteLost(packs, new Set([...unread, ...this.#missing]));
    const known = new Set([...lineages.map(({ name }) => name), ...this.#missing]);
    const now = [...lineages];
    for (const { lineage } of lineages) await lineage?.refresh();
    const own = lineages.find(({ name }) => name === repositoryLineage);
    for (const name of own?.lineage?.state.keys('source') ?? []) {
      if (known.has(name)) continue;
      const lineage = await this.#repository.openLineage(name);
      now.push({ name, lineage, entries: 0, bytesRead: 0 });
    }
    // What they have stored meanwhile is found by an index that knows it.
    await this.#repository.index.refresh();
    return now;
  }

  #reportDangling(dangling: readonly PackRef[], lineages: readonly CheckedLineage[]): void {
    const retained = retainedIn(lineages.flatMap(({ lineage }) => lineage?.state ?? []));
    for (const pack of dangling) {
      if (!retained.has(pack.id)) reportDangling(pack, this.#problems, this.#givesUp);
      else {
        const object = packName(pack);
        this.#problems.add({ object, problem: 'it is missing', remedy: this.#remedy });
      }
    }
  }

  /** Every lineage in the store and every one that is registered: a registered one begins with an entry. */
  async #checkLineages(): Promise<CheckedLineage[]> {
    const { signal } = this.#world;
    const checked = await checkLineages(this.#repository, this.#problems, signal);
    const names = new Set(checked.map(({ name }) => name));
    const own = checked.find(({ name }) => name === repositoryLineage);
    if (own?.entries === 0 && names.size > 1) this.#missLineage(repositoryLineage);
    for (const id of own?.lineage?.state.keys('source') ?? []) {
      if (!names.has(id)) this.#missLineage(id);
    }
    return checked;
  }

  #missLineage(name: string): void {
    this.#missing.add(name);
    this.#problems.add({
      object: `lineage/${name}/`,
      problem: 'every entry is missing',
      affected: [`every point of ${name === repositoryLineage ? 'every source' : name}`],
      remedy: 'put the folder back from a copy of the repository',
    });
  }

  #reportIndex(
    { damaged, newer }: IndexFindings,
    indexed: ReadonlySet<PackId>,
    retained: ReadonlyMap<PackId, PackRecord>,
  ): void {
    const { repair } = this.#options;
    const remedy = repair ? 'nothing: it was made again' : 'run `codr check --repair`';
    for (const object of damaged) {
      const problem = 'its bytes do not give its name';
      this.#problems.add({ object, problem, remedy, repaired: repair });
    }
    for (const object of newer) {
      const problem = 'it was written by a newer version';
      this.#problems.add({ object, problem, remedy: 'upgrade CODR, then check again' });
    }
    // What the objects of a newer version lead to is not known here.
    if (newer.length > 0) return;
    const missing = [...indexed].filter((id) => retained.has(id));
    if (missing.length === 0) return;
    this.#problems.add({
      object: 'index/',
      problem: `no index object leads to all leaves of ${missing.length} packs`,
      affected: repair ? [] : ['nothing for good: leaves of these packs are not found until then'],
      remedy,
      repaired: repair,
    });
  }

  /** Where a state cannot be read, the index still tells of packs that should be there. */
  #reportLost(
    { covered }: IndexFindings,
    listed: ReadonlyMap<PackId, ListedPack>,
    lineages: readonly CheckedLineage[],
  ): void {
    const unread = lineages.filter(({ lineage }) => !lineage).map(({ name }) => name);
    if (unread.length === 0) return;
    for (const { pack } of covered.values()) {
      if (listed.has(pack.id)) continue;
      this.#problems.add({
        object: packName(pack),
        problem: 'it is missing',
        affected: [`perhaps ${unread.join(', ')}, whose state cannot be read`],
        remedy: 'put the pack back from a copy of the repository',
      });
    }
  }

  #choose(packs: readonly PackId[]): Set<PackId> {
    const count = Math.ceil((packs.length * this.#options.readDataPercent) / 100);
    const left = [...packs];
    const chosen = new Set<PackId>();
    while (chosen.size < count) {
      const [pack] = left.splice(this.#world.random.below(left.length), 1);
      chosen.add(pack as PackId);
    }
    return chosen;
  }

  async #checkContents(
    lineages: readonly CheckedLineage[],
    losses: ReadonlyMap<PackId, PackLoss>,
    own: StateView | undefined,
  ): Promise<Losses> {
    const { signal } = this.#world;
    const problems = this.#problems;
    const describe = this.#world.describe(own);
    const common = { repository: this.#repository, losses, problems, remedy: this.#remedy, signal };
    const all: FoundLosses[] = [];
    for (const { name, lineage } of lineages) {
      const words = describe(name, lineage?.state);
      if (!lineage) continue;
      const found = new FoundLosses(name);
      all.push(found);
      for (const loss of losses) this.#hurtHolders(loss, lineage.state, words, found);
      await checkTrees({ ...common, found }, lineage.state, words);
      await checkRuns({ ...common, found }, lineage, words);
    }
    return { packs: [...losses.keys()], lineages: all };
  }

  /** What needs a damaged pack and is not looked at piece by piece. */
  #hurtHolders(
    [id, loss]: readonly [PackId, PackLoss],
    state: StateView,
    words: ReturnType<Describe>,
    found: FoundLosses,
  ): void {
    const ordinal = state.ordinalOf(id);
    const pack = ordinal === undefined ? undefined : state.get<PackRecord>(packKey(ordinal));
    if (ordinal === undefined || !pack) return;
    const hurt = (holder: { packs: string }, what: string): boolean => {
      if (!PackSet.parse(holder.packs).has(ordinal)) return false;
      return this.#problems.hurt(packName(pack), `${words.name}: ${what}`);
    };
    for (const [rest, segment] of state.list<SegmentRecord>('segment')) {
      const name = words.dataset(rest.slice(0, rest.indexOf('/')));
      const isHurt = hurt(segment, `an unfinished base copy of ${name}, which will be read again`);
      if (isHurt) found.segments.add(rest);
    }
    for (const [, stored] of loss.whole ? state.list<StoredStateRecord>('stored') : []) {
      hurt(stored, 'its stored state: every point, once this process ends');
    }
  }
}

/** Every pack that something in these states holds. */
function retainedIn(states: readonly StateView[]): Map<PackId, PackRecord> {
  const records = states.flatMap((state) => packRecords(state, retainedPacks(state)));
  return new Map(records.map((pack) => [pack.id, pack]));
}
