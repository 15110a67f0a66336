// The objects that a dataset needs at a moment: looked up, not read.
import { isCodrError } from '../../base/error.ts';
import type { PackId } from '../../model/id.ts';
import type { SourceTime } from '../../model/time.ts';
import { entryName } from '../../repository/lineage/lineage.ts';
import { PackSet } from '../../repository/lineage/pack-set.ts';
import { packRecords } from '../../repository/lineage/pack-table.ts';
import type { TreeRecord } from '../../repository/lineage/records.ts';
import { packName } from '../../repository/pack/pack-format.ts';
import { walkTree } from '../../repository/tree/tree-walk.ts';
import { openRuns, runTouches } from '../capture/run-records.ts';
import { deltasAt } from '../history/cut-history.ts';
import { treeRootOf } from '../read/fold.ts';
import type { PointDataset } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';

export class NeededObjects {
  readonly #context: SourceContext;
  readonly #at: SourceTime;
  readonly #signal: AbortSignal;
  readonly #sizes = new Map<string, number>();

  constructor(context: SourceContext, at: SourceTime, signal: AbortSignal) {
    this.#context = context;
    this.#at = at;
    this.#signal = signal;
  }

  /** What the dataset needs and is not there: of its runs any object, of its base copy what holds a blob. */
  async lacks(dataset: PointDataset): Promise<string | undefined> {
    const { lineage } = this.#context;
    const { base } = dataset;
    const runs = openRuns(lineage.state, base.epoch).filter(({ record }) =>
      runTouches(record, -1n, this.#at),
    );
    for (const { record } of runs) {
      if (record.seq === undefined) continue;
      const name = entryName(lineage.name, record.seq);
      if ((await this.#sizeOf(name)) === undefined) return `${name} is missing`;
    }
    const sets = runs.map(({ record }) => PackSet.parse(record.packs));
    const [ofRuns] = await this.#lostOf(sets.reduce((all, set) => all.union(set), PackSet.empty));
    if (ofRuns) return ofRuns.why;
    const deltas = deltasAt(lineage.state, base, this.#at);
    for (const { tree, packs } of [
      ...(base.tree ? [{ ...base, tree: base.tree }] : []),
      ...deltas,
    ]) {
      const lost = await this.#lostOf(PackSet.parse(packs));
      if (lost.length > 0 && (await this.#needs(tree, lost))) return lost[0]?.why;
    }
    return undefined;
  }

  async #lostOf(packs: PackSet): Promise<{ readonly id: PackId; readonly why: string }[]> {
    const lost: { id: PackId; why: string }[] = [];
    for (const pack of packRecords(this.#context.lineage.state, packs)) {
      const name = packName(pack);
      const bytes = await this.#sizeOf(name);
      if (bytes === undefined) lost.push({ id: pack.id, why: `${name} is missing` });
      else if (pack.bytes > 0 && bytes !== pack.bytes) {
        lost.push({ id: pack.id, why: `${name} has ${bytes} bytes, not ${pack.bytes}` });
      }
    }
    return lost;
  }

  /** True when a blob of the tree lies in no other pack: base copies share packs with their neighbours. */
  async #needs(tree: TreeRecord, lost: readonly { readonly id: PackId }[]): Promise<boolean> {
    const { source, index } = this.#context.repository;
    const isLost = new Set(lost.map(({ id }) => id));
    const options = { chunks: true, signal: this.#signal };
    try {
      for await (const blobs of walkTree(source, treeRootOf(tree), options)) {
        const ids = blobs.map(({ id }) => id);
        const found = await index.lookup(ids, ({ id }) => !isLost.has(id), this.#signal);
        if (found.some((at) => at === undefined)) return true;
      }
      return false;
    } catch (error) {
      if (isCodrError(error, 'object-missing') || isCodrError(error, 'object-damaged')) return true;
      throw error;
    }
  }

  /** Asked once for each object. */
  async #sizeOf(name: string): Promise<number | undefined> {
    const known = this.#sizes.get(name);
    if (known !== undefined) return known;
    const size = (await this.#context.repository.store.stat(name))?.size;
    if (size !== undefined) this.#sizes.set(name, size);
    return size;
  }
}
