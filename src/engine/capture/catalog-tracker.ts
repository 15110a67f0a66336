// Follows what there is to protect: folds the catalog of the running epoch and says which datasets came,
// went, or moved into or out of the scope. Knows nothing of what the changes mean.
import type { CatalogFold } from '../../connector/connector.ts';
import type { CatalogChange, CatalogEntry } from '../../model/catalog.ts';
import { compareOrder } from '../../model/change.ts';
import type { DatasetId } from '../../model/id.ts';
import type { Scope } from '../../model/namespace.ts';
import { maxTime, type SourceTime } from '../../model/time.ts';
import { inScope } from '../history/source-history.ts';

export interface CatalogDifference {
  /** Made by the log, so empty at `time`. */
  readonly born: readonly { readonly entry: CatalogEntry; readonly time: SourceTime }[];
  /** There before, renamed into the scope, or no longer temporary, at `time`. */
  readonly entered: readonly { readonly entry: CatalogEntry; readonly time: SourceTime }[];
  /** Dropped, or renamed out of the scope, at `time`. */
  readonly left: readonly { readonly dataset: DatasetId; readonly time: SourceTime }[];
}

export class CatalogTracker {
  readonly #open: () => CatalogFold;
  readonly #scope: Scope;
  readonly #changes: CatalogChange[] = [];
  /** Datasets whose whole life is in the log. */
  readonly #created = new Set<DatasetId>();
  #fold: CatalogFold;
  #entries: ReadonlyMap<DatasetId, CatalogEntry>;

  /** `changes`: the epoch's catalog so far, ascending. */
  constructor(open: () => CatalogFold, scope: Scope, changes: readonly CatalogChange[]) {
    this.#open = open;
    this.#scope = scope;
    this.#fold = open();
    this.#take(changes);
    this.#entries = byDataset(this.#fold.entries());
  }

  /** What there is after the newest change. */
  get entries(): ReadonlyMap<DatasetId, CatalogEntry> {
    return this.#entries;
  }

  /** That, and what a log tells of before it becomes restorable. */
  get followed(): readonly CatalogEntry[] {
    return this.#fold.followed();
  }

  /**
   * Takes later changes in. In each step of the answer a dataset changes once at most, so one that came and
   * went between two calls is seen, and all times are exact.
   */
  apply(changes: readonly CatalogChange[]): CatalogDifference[] {
    return stepsOf(changes).map((step) => this.#apply(step));
  }

  #apply(changes: readonly CatalogChange[]): CatalogDifference {
    const before = this.#entries;
    this.#take(changes);
    this.#entries = byDataset(this.#fold.entries());
    const last = changes.map(({ time }) => time).reduce(maxTime);
    const firstOf = new Map<DatasetId | undefined, SourceTime>();
    for (const { dataset, time } of changes) {
      if (!firstOf.has(dataset)) firstOf.set(dataset, time);
    }
    const timeOf = ({ dataset }: CatalogEntry): SourceTime => firstOf.get(dataset) ?? last;
    const added = [...this.#entries.values()].filter((entry) => !before.has(entry.dataset));
    const isBorn = ({ dataset }: CatalogEntry): boolean => this.#created.has(dataset);
    const entered = [
      ...added.filter((entry) => !isBorn(entry) && this.#isIn(entry)),
      ...[...this.#entries.values()].filter((e) => this.#moved(before.get(e.dataset), e)),
    ];
    return {
      born: added.filter(isBorn).map((entry) => ({ entry, time: timeOf(entry) })),
      entered: entered.map((entry) => ({ entry, time: timeOf(entry) })),
      left: [...before.values()]
        .filter((entry) => this.#isIn(entry) && !this.#isIn(this.#entries.get(entry.dataset)))
        .map((entry) => ({ dataset: entry.dataset, time: timeOf(entry) })),
    };
  }

  /** Later changes are folded on; one that lies before what was folded (a prepared DDL) folds all anew. */
  #take(changes: readonly CatalogChange[]): void {
    for (const change of changes) {
      const last = this.#changes.at(-1);
      this.#changes.push(change);
      if (change.creates && change.dataset) this.#created.add(change.dataset);
      if (!last || compareOrder(last, change) <= 0) {
        this.#fold.apply(change);
        continue;
      }
      this.#changes.sort(compareOrder);
      this.#fold = this.#open();
      for (const one of this.#changes) this.#fold.apply(one);
    }
  }

  #moved(before: CatalogEntry | undefined, now: CatalogEntry): boolean {
    return before !== undefined && !this.#isIn(before) && this.#isIn(now);
  }

  #isIn(entry: CatalogEntry | undefined): boolean {
    return entry !== undefined && inScope(this.#scope, entry);
  }
}

/** Cuts before each change of something that has changed at an earlier time of the same step. */
function stepsOf(changes: readonly CatalogChange[]): CatalogChange[][] {
  const steps: CatalogChange[][] = [];
  let touched = new Map<DatasetId | undefined, SourceTime>();
  const ascending = [...changes].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  for (const change of ascending) {
    const before = touched.get(change.dataset) ?? touched.get(undefined);
    const again = before !== undefined && before < change.time;
    if (again || steps.length === 0) {
      steps.push([]);
      touched = new Map();
    }
    touched.set(change.dataset, change.time);
    steps.at(-1)?.push(change);
  }
  return steps;
}

function byDataset(entries: readonly CatalogEntry[]): ReadonlyMap<DatasetId, CatalogEntry> {
  return new Map(entries.map((entry) => [entry.dataset, entry]));
}
