// Holds what the repository says of cuts, and gives back, against what the cuts were given: of each dataset all
// writes since the cut that began it. What a point should hold is worked out write by write, by no merge of records.
import assert from 'node:assert/strict';
import { isCodrError } from '../../src/base/error.ts';
import type { Random } from '../../src/base/random.ts';
import type { Connector, CutGrade } from '../../src/connector/connector.ts';
import {
  ReplicaCluster,
  type ReplicaClusters,
} from '../../src/connector/replicas/replica-cluster.ts';
import type { ReplicaCut } from '../../src/connector/replicas/replica-cut.ts';
import { contentOf, tokenCount, tokenOf } from '../../src/connector/replicas/replica-record.ts';
import { rowsOf, type Write } from '../../src/connector/replicas/replica-write.ts';
import { cutsOf, type StoredCut } from '../../src/engine/history/cut-history.ts';
import { restorableIntervals } from '../../src/engine/history/source-history.ts';
import { foldDataset, OpenedRuns } from '../../src/engine/read/fold.ts';
import { resolvePoint } from '../../src/engine/read/point.ts';
import { type RestoreOutcome, restore } from '../../src/engine/restore/restore.ts';
import type { SourceContext } from '../../src/engine/source-context.ts';
import type { CatalogEntry } from '../../src/model/catalog.ts';
import { wholeRange } from '../../src/model/key-range.ts';
import { everything, renamed, scopeHolds } from '../../src/model/namespace.ts';
import type { DataRecord } from '../../src/model/record.ts';
import type { SourceTime } from '../../src/model/time.ts';
import type { PointRecord } from '../../src/repository/lineage/records.ts';
import {
  CutModel,
  type LiveRow,
  type Rows,
  type SeenCut,
  type SeenTable,
  type Ttl,
} from './cut-model.ts';
import type { CutWorkload } from './cut-workload.ts';

export interface CheckedCuts {
  readonly cluster: ReplicaCluster;
  readonly clusters: ReplicaClusters;
  readonly workload: CutWorkload;
  readonly random: Random;
  readonly nowMs: () => number;
}

const forever = new AbortController().signal;

export class CutCheck {
  readonly #world: CheckedCuts;
  readonly #model: CutModel;
  #targets = 0;
  /** Packs were lost and given up: cuts may be refused. */
  hasLosses = false;
  restores = 0;
  refusals = 0;
  poor = 0;

  constructor(world: CheckedCuts) {
    this.#world = world;
    this.#model = new CutModel(world.cluster.gcGraceSeconds);
  }

  get cuts(): number {
    return this.#seen.size;
  }

  get returned(): number {
    return this.#model.returned;
  }

  get #seen(): ReadonlyMap<SourceTime, SeenCut> {
    return this.#model.cuts;
  }

  /** Takes note of new cuts, and looks that the others are as they were. */
  look({ lineage: { state }, connector, scope }: SourceContext): void {
    const cuts = cutsOf(state);
    this.#model.noteFolded(state);
    for (const [i, record] of cuts.entries()) {
      const point = state.get<PointRecord>(`point/cut:${record.number}`);
      assert.ok(point, `cut ${record.number} has a point`);
      const known = this.#seen.get(record.time);
      if (known) {
        assert.deepEqual(record, known.record, 'a cut and its grade never change');
        assert.deepEqual(point, known.point, 'a point never changes');
        continue;
      }
      assert.equal(record.number, i + 1, 'cuts are counted, and none goes');
      const newest = Math.max(...[...this.#seen.values()].map((seen) => seen.record.number), 0);
      assert.ok(record.number > newest, 'a new cut is the newest');
      this.#note(record, point, scope.include);
    }
    assert.ok(cuts.length >= this.#seen.size, 'no cut goes');
    for (const { from, to } of restorableIntervals(state)) {
      assert.equal(from, to, 'nothing is promised between two cuts');
      assert.ok(this.#seen.has(from), connector.formatTime(from));
    }
  }

  #note(record: StoredCut, point: PointRecord, include: readonly string[]): void {
    const { cluster } = this.#world;
    const cut = cluster.cuts.find(({ time }) => time === record.time);
    assert.ok(cut, 'a stored cut is one that was taken');
    for (const { namespace } of cut.entries) {
      assert.ok(scopeHolds({ include, exclude: [] }, namespace));
    }
    const { tables } = this.#model.note(cut, record, point);
    assert.equal(point.grade, record.grade);
    if (record.grade !== 'complete') this.poor++;
    this.#refuseFalseGrade(cut, record, tables);
  }

  /** What a grade promises is in the cut, and nothing that came after it; who is missing is named. */
  #refuseFalseGrade(
    cut: ReplicaCut,
    { grade, notes }: StoredCut,
    tables: ReadonlyMap<string, SeenTable>,
  ): void {
    const { cluster, workload } = this.#world;
    for (const host of cut.missing.keys()) {
      assert.ok(
        notes.some((note) => note.includes(`node ${host} `)),
        `${host} is missing unsaid`,
      );
    }
    const quorum = Math.floor(cluster.replicationFactor / 2) + 1;
    const wanted: Readonly<Record<CutGrade, number>> = {
      complete: 1,
      'quorum-safe': quorum,
      'best-effort': Number.POSITIVE_INFINITY,
    };
    for (const [name, { dataset, writes }] of tables) {
      for (const { seq } of writes) assert.ok(seq <= cut.end, `${seq} came after the cut`);
      const table = cluster.tables.get(name);
      if (table?.entry.dataset !== dataset || table.isShort) continue;
      for (const { write, taken } of workload.written.get(dataset) ?? []) {
        if (write.seq > cut.begin || taken < wanted[grade]) continue;
        const isIn = writes.has(write);
        assert.ok(isIn, `write ${write.seq} to ${name}, taken by ${taken}, is in no ${grade} cut`);
      }
    }
  }

  /** Every cut that is called restorable is folded; the others are refused for a reason. */
  async foldAll(context: SourceContext): Promise<void> {
    for (const time of this.#seen.keys()) await this.#fold(context, time);
  }

  async #fold(context: SourceContext, at: SourceTime): Promise<void> {
    const { lineage, connector, scope } = context;
    const isPromised = this.#isPromised(context, at);
    try {
      const { datasets } = resolvePoint({ state: lineage.state, connector, scope }, at);
      const { tables } = this.#seen.get(at) as SeenCut;
      assert.deepEqual(
        datasets.map(({ entry }) => entry.namespace).sort(),
        [...tables.keys()].sort(),
      );
      const nowMs = this.#world.nowMs();
      const live = { nowMs, ttl: 'keep', rebaseMs: 0, cutMs: connector.wallMs(at) } as const;
      for (const dataset of datasets) {
        const runs = new OpenedRuns(context);
        const records: DataRecord[] = [];
        const where = { range: wholeRange, at, live };
        for await (const batch of foldDataset(context, runs, dataset, where))
          records.push(...batch);
        const { namespace } = dataset.entry;
        const shown = shownRows(connector, dataset.entry, records);
        const asked = { form: { ttl: 'keep', nowMs }, shown } as const;
        const wanted = this.#model.expected(lineage.state, at, namespace, asked);
        const place = `${namespace} at ${connector.formatTime(at)}`;
        assert.deepEqual(textsOf(shown), textsOf(wanted), place);
      }
    } catch (error) {
      if (!isCodrError(error, 'time-not-restorable')) throw error;
      assert.ok(!isPromised, `restorable, and refused: ${error.message}`);
      assert.ok(this.hasLosses, `refused for no reason: ${error.message}`);
      this.refusals++;
    }
  }

  #isPromised({ lineage }: SourceContext, at: SourceTime): boolean {
    return restorableIntervals(lineage.state).some(({ from }) => from === at);
  }

  /** Restores one cut, or a time that is none. */
  async restoreOne(context: SourceContext): Promise<void> {
    const { random } = this.#world;
    const times = [...this.#seen.keys()];
    const time = times[random.below(times.length || 1)];
    if (time === undefined) return;
    if (random.below(8) === 0) return this.#refuseBetween(context, time);
    if (!this.#isPromised(context, time)) return this.#fold(context, time);
    await this.#restore(context, time);
  }

  /** Only a cut itself can be given back. */
  #refuseBetween({ lineage, connector, scope }: SourceContext, time: SourceTime): void {
    const at = time + (this.#world.random.below(2) === 0 ? 1n : -1n);
    const resolve = (): unknown => resolvePoint({ state: lineage.state, connector, scope }, at);
    assert.throws(resolve, (error) => isCodrError(error, 'time-not-restorable'));
    this.refusals++;
  }

  async #restore(context: SourceContext, at: SourceTime): Promise<void> {
    const { random, clusters, nowMs } = this.#world;
    const { tables, record } = this.#seen.get(at) as SeenCut;
    const pick = <T>(...of: readonly [T, ...T[]]): T => of[random.below(of.length)] as T;
    const nodes = 1 + random.below(4);
    const replicationFactor = 1 + random.below(nodes);
    const name = `target-${this.#targets++}`;
    const target = clusters.add(new ReplicaCluster({ name, nodes, replicationFactor, nowMs }));
    const ttl = pick<Ttl>('keep', 'keep', 'rebase', 'freeze');
    const isRenamed = [...tables.keys()].some((one) => one.startsWith('a.')) && pick(true, false);
    const renames = isRenamed ? [{ from: 'a.*', to: 'z.*' }] : [];
    const halves = pick(false, false, true) ? [`0..${tokenCount / 2}`] : undefined;
    const startMs = nowMs();
    const options = {
      ...{
        to: { kind: 'replicas', uri: `replicas:${name}` },
        when: at,
        scope: everything,
        renames,
      },
      ...{ drop: pick(true, false), ttl, usersAndRoles: false, verify: random.below(4) > 0 },
      ...(halves && { parts: { ranges: halves, queries: [] } }),
    };
    if (tables.size === 0) return;
    const trouble = random.below(5);
    if (trouble === 0) await this.#interruptOnce(context, options, target);
    if (trouble === 1 && options.verify) await this.#failOnce(context, options, target);
    const outcome = await restore(context, options, forever);
    this.restores++;
    this.#refuseSilence(record, outcome);
    for (const [namespace] of tables) {
      // How far expiry was shifted is known while time stands still alone.
      if (ttl === 'rebase' && nowMs() !== startMs) continue;
      const isAsked = (token: number): boolean => !halves || (token > 0 && token <= tokenCount / 2);
      const { dataset } = target.table(renamed(renames, namespace)).entry;
      // Each replica alone.
      for (const node of target.nodes) {
        const shown = liveOf(node.holds(dataset), target.nowSeconds);
        const asked = { form: { ttl, nowMs: nowMs() }, shown };
        const all = this.#model.expected(context.lineage.state, at, namespace, asked);
        const owns = target.ownedBy(node);
        const wanted = [...all].filter(([key]) => {
          const token = tokenOf(key.split('/')[0] as string);
          return owns(token) && isAsked(token);
        });
        assert.deepEqual(textsOf(shown), textsOf(wanted), `${namespace} on ${node.hostId}`);
      }
    }
    assert.equal(target.tables.size, tables.size);
    assert.equal(target.marker, undefined, 'a restore that has ended leaves no marker');
  }

  /** Somewhere in the load; unless it came to its end before, the same command goes on. */
  async #interruptOnce(
    context: SourceContext,
    options: Parameters<typeof restore>[1],
    target: ReplicaCluster,
  ): Promise<void> {
    const stop = new AbortController();
    let left = this.#world.random.below(4);
    target.between = () => {
      if (left-- <= 0) stop.abort(new Error('told to stop'));
    };
    const outcome = await restore(context, options, stop.signal).catch((error: unknown) => error);
    target.between = () => {};
    if (outcome instanceof Error) assert.ok(isCodrError(outcome, 'interrupted'), `${outcome}`);
    else clear(target);
  }

  /** A server that takes nothing breaks the proof; the same command then goes on. */
  async #failOnce(
    context: SourceContext,
    options: Parameters<typeof restore>[1],
    target: ReplicaCluster,
  ): Promise<void> {
    const [node] = target.nodes;
    assert.ok(node);
    node.takesNothing = true;
    const outcome = await restore(context, options, forever).catch((error: unknown) => error);
    node.takesNothing = false;
    if (outcome instanceof Error) {
      assert.ok(isCodrError(outcome, 'proof-failed'), `${outcome}`);
      return;
    }
    // It owned nothing of what was restored.
    clear(target);
  }

  /** Who gets a moment of which not all replicas were captured is told so. */
  #refuseSilence({ grade, number }: StoredCut, { warnings }: RestoreOutcome): void {
    if (grade === 'complete') return;
    const isSaid = warnings.some((warning) => warning.includes(grade));
    assert.ok(isSaid, `cut ${number} is ${grade}, and its restore does not say so`);
  }
}

/** Nothing is left that would be in the way. */
function clear(target: ReplicaCluster): void {
  for (const name of [...target.tables.keys()]) target.drop(name);
}

function shownRows(
  connector: Connector,
  entry: CatalogEntry,
  records: readonly DataRecord[],
): Rows {
  return new Map(
    records.flatMap((record): [string, LiveRow][] => {
      const content = contentOf(record);
      assert.ok(content.kind === 'row' && content.row.alive, 'a reader sees what lives');
      return [[connector.renderKey(entry, record), content.row]];
    }),
  );
}

function liveOf(writes: Iterable<Write>, nowSeconds: number): Rows {
  const rows = [...rowsOf(writes, nowSeconds)];
  return new Map(
    rows.flatMap(([key, row]): [string, LiveRow][] => (row.alive ? [[key, row]] : [])),
  );
}

function textsOf(rows: Iterable<readonly [string, LiveRow]>): string[] {
  return [...rows]
    .map(([key, { timestamp, text, expiry }]) => `${key} ${timestamp} ${text} ${expiry}`)
    .sort();
}
