// Holds what the repository says and gives against the database's own memory of its past. A moment that is
// called restorable is restored and compared byte for byte; a moment that is refused must have a reason
// that the world really had.
import assert from 'node:assert/strict';
import { toHex } from '../../src/base/bytes.ts';
import { type CodrError, isCodrError } from '../../src/base/error.ts';
import type { Random } from '../../src/base/random.ts';
import {
  MemoryDatabase,
  type MemoryDatabases,
} from '../../src/connector/memory/memory-database.ts';
import {
  epochsOf,
  restorableIntervals,
  settledTime,
} from '../../src/engine/history/source-history.ts';
import { type ResolvedPoint, resolvePoint } from '../../src/engine/read/point.ts';
import { recordHistory } from '../../src/engine/read/record-history.ts';
import { restore } from '../../src/engine/restore/restore.ts';
import type { SourceContext } from '../../src/engine/source-context.ts';
import {
  everything,
  type Rename,
  renamed,
  renameFits,
  type Scope,
  scopeHolds,
} from '../../src/model/namespace.ts';
import type { Interval } from '../../src/model/point.ts';
import type { DataRecord } from '../../src/model/record.ts';
import { type SourceTime, timeFromHex } from '../../src/model/time.ts';
import type { RandomWorkload } from './random-workload.ts';

export interface CheckedWorld {
  readonly database: MemoryDatabase;
  readonly databases: MemoryDatabases;
  readonly workload: RandomWorkload;
  readonly scope: Scope;
  readonly random: Random;
}

const forever = new AbortController().signal;
const partial: readonly Scope[] = [
  { include: ['a.*'], exclude: [] },
  { include: [], exclude: ['b.*'] },
  { include: ['*.one'], exclude: ['tmp.*'] },
];
const renames: readonly (readonly Rename[])[] = [[], [], [{ from: 'a.*', to: 'z.*' }]];

export class RestoreCheck {
  readonly #world: CheckedWorld;
  #targets = 0;
  #promised: Interval[] = [];
  restores = 0;
  refusals = 0;

  constructor(world: CheckedWorld) {
    this.#world = world;
  }

  /** Checks what is promised now, then restores `count` moments. */
  async run(context: SourceContext, count: number): Promise<void> {
    const intervals = restorableIntervals(context.lineage.state);
    this.#checkPromises(intervals, context);
    for (let i = 0; i < count; i++) await this.#one(context, intervals, this.#pick(intervals));
  }

  /** Ascending, apart, never later than what is settled; and what was promised once stays so. */
  #checkPromises(intervals: readonly Interval[], context: SourceContext): void {
    const { database } = this.#world;
    const settled = settledTime(context.lineage.state) ?? 0n;
    assert.ok(settled <= database.settled, `settled at ${settled}, too early`);
    let last = -1n;
    for (const { from, to } of intervals) {
      assert.ok(
        from > last && from <= to && to <= database.majorityTime,
        `intervals are in disorder at ${from}`,
      );
      last = to;
    }
    for (const { from, to } of this.#promised) {
      const kept = intervals.some((now) => now.from <= from && to <= now.to);
      assert.ok(kept, `${from} to ${to} was restorable and is no longer`);
    }
    this.#promised = [...intervals];
  }

  #pick(intervals: readonly Interval[]): SourceTime {
    const { random, database } = this.#world;
    const one = intervals[random.below(intervals.length || 1)];
    const newest = database.now;
    const pick = random.below(10);
    if (!one || pick === 0) return this.#between(newest - ((newest >> 32n) << 32n), newest);
    if (pick === 1) return one.from - 1n;
    if (pick === 2) return one.to + 1n;
    if (pick === 3) return one.from;
    if (pick === 4) return one.to;
    return this.#between(one.from, one.to);
  }

  /** A time of an entry in the range where there is one: most times lie between two entries. */
  #between(from: SourceTime, to: SourceTime): SourceTime {
    const { random, database } = this.#world;
    const [log] = database.logs;
    const times: SourceTime[] = [];
    for (let n = log?.first ?? 0; log && n < log.end; n++) {
      const time = log.at(n)?.position.time ?? 0n;
      if (from <= time && time <= to) times.push(time);
    }
    const seconds = Number((to >> 32n) - (from >> 32n));
    const known = times[random.below(times.length || 1)];
    if (known !== undefined && random.below(4) > 0) return known;
    const guess = ((from >> 32n) + BigInt(random.below(seconds + 1))) << 32n;
    return guess < from ? from : guess > to ? to : guess + BigInt(random.below(4));
  }

  async #one(
    context: SourceContext,
    intervals: readonly Interval[],
    at: SourceTime,
  ): Promise<void> {
    const { random } = this.#world;
    const scope =
      random.below(3) === 0 ? (partial[random.below(partial.length)] as Scope) : everything;
    const promised = intervals.some(({ from, to }) => from <= at && at <= to);
    let point: ResolvedPoint | undefined;
    await this.#unlessUnknown(at, scope, async () => {
      point = this.#resolve(context, at, scope, promised);
    });
    if (!point) return;
    this.#refuseDoubt(point);
    const all = this.#definitions(at, scope);
    // A rename that fits nothing is refused.
    const names = (renames[random.below(renames.length)] ?? []).filter((rename) =>
      all.some(({ namespace }) => renameFits(rename, namespace)),
    );
    const target = await this.#restore(context, point, scope, names);
    if (!target) return;
    this.compare(target, at, scope, names);
    if (random.below(3) === 0) await this.#compareRecord(context, point);
    this.restores++;
  }

  async #restore(
    context: SourceContext,
    point: ResolvedPoint,
    scope: Scope,
    names: readonly Rename[],
  ): Promise<MemoryDatabase | false> {
    const { random, databases } = this.#world;
    const target = databases.add(new MemoryDatabase({ name: `target-${this.#targets++}` }));
    const work = restore(
      context,
      {
        to: { kind: 'memory', uri: `memory:${target.id}` },
        when: point.at,
        scope,
        renames: names,
        drop: random.below(2) === 0,
        ttl: 'keep',
        usersAndRoles: false,
        verify: random.below(4) > 0,
      },
      forever,
    );
    return (await this.#unlessUnknown(point.at, scope, () => work)) && target;
  }

  /** True when the work was done; false when the filter matches nothing, and rightly. */
  async #unlessUnknown(
    at: SourceTime,
    scope: Scope,
    work: () => Promise<unknown>,
  ): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!isCodrError(error, 'namespace-unknown')) throw error;
      const data = this.#definitions(at, scope).filter(({ role }) => role === 'data');
      const fits = (pattern: string): boolean =>
        data.some(({ namespace }) => scopeHolds({ include: [pattern], exclude: [] }, namespace));
      if (scope.include.some((pattern) => !fits(pattern))) return false;
      if (!data.some(({ namespace }) => scopeHolds(scope, namespace))) return false;
      throw error;
    }
  }

  #resolve(
    context: SourceContext,
    at: SourceTime,
    scope: Scope,
    promised: boolean,
  ): ResolvedPoint | undefined {
    const { lineage, connector } = context;
    try {
      return resolvePoint({ state: lineage.state, connector, scope: context.scope }, at, scope);
    } catch (error) {
      if (!isCodrError(error, 'time-not-restorable')) throw error;
      assert.ok(
        !promised,
        `${at} is called restorable and was refused: ${(error as Error).message}`,
      );
      this.#justify(context, at, error as CodrError);
      this.refusals++;
      return undefined;
    }
  }

  /** A refusal needs a cause in the world. */
  #justify({ lineage }: SourceContext, at: SourceTime, error: CodrError): void {
    const { workload } = this.#world;
    const settled = settledTime(lineage.state);
    if (settled === undefined || at > settled) return;
    const epoch = epochsOf(lineage.state).find(
      ({ exactFrom, closedAt }) =>
        timeFromHex(exactFrom) <= at && (closedAt === undefined || at <= timeFromHex(closedAt)),
    );
    if (!epoch) return; // before the first base copy, or between two epochs: their number is checked apart
    const wanted = lineage.state.keys('want').length > 0;
    const entered = workload.entered.some(({ time }) => time <= at);
    const unknown = workload.unknown.some(({ time }) => time <= at);
    assert.ok(wanted || entered || unknown, `${at} was refused for no reason: ${error.message}`);
  }

  /** Nothing is given back from changes that follow an entry that nobody knows. */
  #refuseDoubt({ at, datasets }: ResolvedPoint): void {
    for (const { time, dataset } of this.#world.workload.unknown) {
      for (const { entry, base } of datasets) {
        if (dataset !== undefined && dataset !== entry.dataset) continue;
        const inDoubt = timeFromHex(base.exactFrom) < time && time <= at;
        assert.ok(!inDoubt, `${entry.namespace} at ${at} rests on an unknown entry at ${time}`);
      }
    }
  }

  #definitions(at: SourceTime, scope: Scope) {
    return this.#world.database
      .definitionsAt(at)
      .filter(
        ({ namespace, role }) =>
          role === 'definitions' ||
          (scopeHolds(this.#world.scope, namespace) && scopeHolds(scope, namespace)),
      );
  }

  /** What a target holds is what the database held at that time. */
  compare(target: MemoryDatabase, at: SourceTime, scope: Scope, names: readonly Rename[]): void {
    const { database } = this.#world;
    const expected = new Map<string, string>();
    for (const { dataset, namespace, role, indexes } of this.#definitions(at, scope)) {
      const records = database.stateAt(dataset, at);
      if (role === 'definitions' && records.length === 0) continue;
      const list = role === 'definitions' ? [] : indexes;
      expected.set(renamed(names, namespace), describe(role, list, records));
    }
    const actual = new Map<string, string>();
    for (const { dataset, namespace, role, indexes } of target.definitionsAt(target.now)) {
      const records = target.stateAt(dataset, target.now);
      if (role === 'definitions' && records.length === 0) continue;
      actual.set(namespace, describe(role, indexes, records));
    }
    assert.deepEqual(
      [...actual].sort(),
      [...expected].sort(),
      `what was restored differs from the database at ${at}`,
    );
  }

  async #compareRecord(context: SourceContext, { at, datasets }: ResolvedPoint): Promise<void> {
    const { database, random, workload } = this.#world;
    const one = datasets[random.below(datasets.length || 1)];
    if (!one) return;
    const key = workload.key();
    const known = database.stateAt(one.entry.dataset, at).find((r) => toHex(r.key) === toHex(key));
    try {
      const { namespace } = one.entry;
      const { found, versions } = await recordHistory(context, { namespace, key, at });
      const [record] = found.records;
      assert.equal(record && toHex(record.value), known && toHex(known.value), 'one record');
      for (const version of versions) {
        const records: readonly DataRecord[] = database.stateAt(one.entry.dataset, version.time);
        const then = records.find((record) => toHex(record.key) === toHex(key))?.value;
        const value = version.records[0]?.value;
        assert.equal(value && toHex(value), then && toHex(then), 'one version');
      }
    } catch (error) {
      if (!isCodrError(error, 'record-unknown')) throw error;
      assert.equal(known, undefined, 'a record was not found, and it was there');
    }
  }
}

function describe(
  role: string,
  indexes: readonly string[],
  records: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[],
): string {
  const lines = records.map(({ key, value }) => `${Buffer.from(key)}=${Buffer.from(value)}`);
  return [role, indexes.join(), ...lines].join('\n');
}
