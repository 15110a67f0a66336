// What cuts should hold: of each dataset all writes that were captured since the cut that began it, worked out write
// by write and by no merge of records. Where a checkpoint may have let go of old deletions, what these hid may be seen
// again, if the cluster showed it too.
import assert from 'node:assert/strict';
import type { ReplicaCut } from '../../src/connector/replicas/replica-cut.ts';
import type { Row } from '../../src/connector/replicas/replica-record.ts';
import { rowsOf, type Write } from '../../src/connector/replicas/replica-write.ts';
import type { StoredCut } from '../../src/engine/history/cut-history.ts';
import type { DatasetId } from '../../src/model/id.ts';
import { type SourceTime, timeFromHex } from '../../src/model/time.ts';
import type { BaseRecord, PointRecord } from '../../src/repository/lineage/records.ts';
import type { StateView } from '../../src/repository/lineage/state.ts';

/** A cut as it was when it was first seen in the lineage. */
export interface SeenCut {
  readonly record: StoredCut;
  readonly point: PointRecord;
  readonly cut: ReplicaCut;
  /** By name. */
  readonly tables: ReadonlyMap<string, SeenTable>;
}

export interface SeenTable {
  readonly dataset: DatasetId;
  readonly writes: ReadonlySet<Write>;
}

export type Ttl = 'keep' | 'rebase' | 'freeze';
export type LiveRow = Row & { readonly alive: true };
export type Rows = ReadonlyMap<string, LiveRow>;

/** How records are given back. */
export interface Form {
  readonly ttl: Ttl;
  readonly nowMs: number;
}

export class CutModel {
  readonly cuts = new Map<SourceTime, SeenCut>();
  readonly #gcGraceSeconds: number;
  /** Keys of base copies that checkpoints folded: one whose parts are lost is called folded no longer. */
  readonly #folded = new Set<string>();
  /** What of each dataset has been captured, by the newest cut. */
  #held = new Map<DatasetId, Set<Write>>();
  /** Rows that were seen again. */
  returned = 0;

  constructor(gcGraceSeconds: number) {
    this.#gcGraceSeconds = gcGraceSeconds;
  }

  /** Cuts are noted in their order. */
  note(cut: ReplicaCut, record: StoredCut, point: PointRecord): SeenCut {
    const tables = new Map<string, SeenTable>();
    const held = new Map<DatasetId, Set<Write>>();
    for (const { dataset, namespace } of cut.entries) {
      const given = cut.given(dataset);
      const before = given?.begins ? undefined : this.#held.get(dataset);
      const writes = new Set([...(before ?? []), ...(given?.writes ?? [])]);
      held.set(dataset, writes);
      tables.set(namespace, { dataset, writes });
    }
    this.#held = held;
    const seen = { record, point, cut, tables };
    this.cuts.set(record.time, seen);
    return seen;
  }

  noteFolded(state: StateView): void {
    for (const [rest, base] of state.list<BaseRecord>('base')) {
      if (base.folded) this.#folded.add(rest);
    }
  }

  /** What a reader should see; `shown` is what he sees. */
  expected(
    state: StateView,
    at: SourceTime,
    namespace: string,
    { form, shown }: { readonly form: Form; readonly shown: Rows },
  ): Rows {
    const seen = this.cuts.get(at);
    const table = seen?.tables.get(namespace);
    assert.ok(seen && table, `${namespace} is in the cut`);
    const rows = new Map(liveRows(table.writes, at, form));
    const letGo = this.#letGoBefore(state, table.dataset, at);
    if (letGo === undefined) return rows;
    for (const [key, given] of shown) {
      const own = rows.get(key);
      if (own && isSame(own, given)) continue;
      if (!mayReturn(table.writes, key, { given, letGo, at, form })) continue;
      this.returned++;
      rows.set(key, given);
      if (seen.record.grade === 'complete') {
        refuseStranger(seen, table.dataset, key, { row: given, form });
      }
    }
    return rows;
  }

  /** Deletions that were written before may be gone, seconds since 1970. */
  #letGoBefore(state: StateView, dataset: DatasetId, at: SourceTime): number | undefined {
    const folded = state
      .list<BaseRecord>('base')
      .filter(([rest]) => rest.startsWith(`${dataset}/`) && this.#folded.has(rest))
      .map(([, { exactFrom }]) => timeFromHex(exactFrom))
      .filter((time) => time <= at)
      .map((time) => Math.floor(Number(time >> 20n) / 1000));
    return folded.length === 0 ? undefined : Math.max(...folded) - this.#gcGraceSeconds;
  }
}

/**
 * Whether a row may be seen though the writes hide it: all that hide it are gone, or were hidden themselves by what is
 * gone, and so not stored beside it.
 */
function mayReturn(
  writes: ReadonlySet<Write>,
  key: string,
  {
    given,
    letGo,
    at,
    form,
  }: { readonly given: LiveRow; readonly letGo: number } & {
    readonly at: SourceTime;
    readonly form: Form;
  },
): boolean {
  const [partition = '', row] = key.split('/');
  const near = [...writes].filter((write) => write.partition === partition);
  const isIt = (write: Write): boolean => {
    const alone = liveRows([write], at, form).get(key);
    return (
      write.change.kind === 'put' && write.change.row === row && !!alone && isSame(alone, given)
    );
  };
  const returned = near.find(isIt);
  if (!returned) return false;
  const hidden = near.filter((by) => by !== returned && hides(by, returned, key));
  const gone = hidden.filter((by) => hidingSince(by) < letGo);
  return hidden.every(
    (by) =>
      gone.includes(by) ||
      gone.some((one) => hides(one, { ...returned, timestamp: by.timestamp }, key)),
  );
}

/** Whatever expires has not yet. */
function hides(by: Write, write: Write, key: string): boolean {
  const seen = rowsOf([by, write], Number.NEGATIVE_INFINITY).get(key);
  const alone = rowsOf([write], Number.NEGATIVE_INFINITY).get(key) as LiveRow;
  return !seen?.alive || !isSame(seen, alone);
}

/** Of a complete cut: the cluster did not hide it either. */
function refuseStranger(
  { cut }: SeenCut,
  dataset: DatasetId,
  key: string,
  { row, form }: { readonly row: LiveRow; readonly form: Form },
): void {
  const all = cut.held.get(dataset) ?? new Set<Write>();
  const some = [...all].filter(({ seq }) => seq <= cut.begin);
  const isShown = [all, some].some((writes) => {
    const own = liveRows(writes, cut.time, form).get(key);
    return own !== undefined && isSame(own, row);
  });
  assert.ok(isShown, `${key} of cut ${cut.number} is back, and the cluster hid it`);
}

function liveRows(writes: Iterable<Write>, at: SourceTime, { ttl, nowMs }: Form): Rows {
  const cutMs = Number(at >> 20n);
  const shift = ttl === 'rebase' ? Math.floor((nowMs - cutMs) / 1000) : 0;
  const seconds = Math.floor((ttl === 'freeze' ? cutMs : nowMs) / 1000);
  const found = new Map<string, LiveRow>();
  for (const [key, row] of rowsOf(writes, seconds - shift)) {
    if (!row.alive) continue;
    const { expiry, ...rest } = row;
    const isKept = expiry !== undefined && ttl !== 'freeze';
    found.set(key, isKept ? { ...rest, expiry: expiry + shift } : rest);
  }
  return found;
}

function isSame(a: LiveRow, b: LiveRow): boolean {
  return a.timestamp === b.timestamp && a.text === b.text && a.expiry === b.expiry;
}

/** Later than all for what hides nothing unseen. */
function hidingSince({ change, seconds }: Write): number {
  if (change.kind !== 'put') return seconds;
  return change.expiry ?? Number.POSITIVE_INFINITY;
}
