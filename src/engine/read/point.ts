// Finds a moment that a user names, and what there is at it: the catalog, and for each dataset the base
// copy and runs that give its records.
import { CodrError } from '../../base/error.ts';
import type { Connector } from '../../connector/connector.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import { everything, type Scope, scopeHolds } from '../../model/namespace.ts';
import type { Hole } from '../../model/point.ts';
import { type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type { PointRecord, WantRecord } from '../../repository/lineage/records.ts';
import type { StateView } from '../../repository/lineage/state.ts';
import { cutAt, cutsOf, hasCuts } from '../history/cut-history.ts';
import {
  type Base,
  baseAt,
  catalogChanges,
  type Epoch,
  endsWithEpoch,
  epochAt,
  holesOf,
  inScope,
  notRestorable,
  restorableIntervals,
  storedTime,
} from '../history/source-history.ts';

/** What a point is read from. */
export interface PointContext {
  readonly state: StateView;
  readonly connector: Connector;
  /** The source's own scope: what base copies there are. */
  readonly scope: Scope;
}

export interface PointDataset {
  readonly entry: CatalogEntry;
  readonly base: Base;
}

export interface ResolvedPoint {
  readonly at: SourceTime;
  readonly datasets: readonly PointDataset[];
  /** Includes that fit no dataset; they may fit something that a dataset of role `definitions` defines. */
  readonly unmatched: readonly string[];
  /** Names of all data at the point, where an include fits none: for messages. */
  readonly known?: readonly string[];
  /** The filter, when its excludes leave no dataset; what a dataset defines may still be meant. */
  readonly emptied?: Scope;
}

/**
 * The moment that `when` names: `latest`, a point id, the source's own form, RFC 3339.
 * Errors: `usage` when it is none of them, `time-not-restorable` when there is nothing yet.
 */
export function parseWhen(context: PointContext, when: string): SourceTime {
  const { state, connector } = context;
  if (when === 'latest') {
    const latest = restorableIntervals(state).at(-1)?.to;
    if (latest !== undefined) return latest;
    throw new CodrError('time-not-restorable', 'nothing is restorable yet', {
      remedy: 'run `codr backup`',
    });
  }
  const point = state.get<PointRecord>(`point/${when}`);
  if (point) return timeFromHex(point.time);
  const own = connector.parseTime(when);
  if (own !== undefined) return own;
  const wallMs = wallMsOf(when);
  if (wallMs !== undefined) return meantCut(context, connector.timeOfWall(wallMs), wallMs);
  throw noMoment(context, when);
}

/** A whole second means the cut that was taken in it, where there is one. */
function meantCut({ state, connector }: PointContext, at: SourceTime, ms: number): SourceTime {
  const cut = cutsOf(state).findLast(({ time }) => time <= at);
  return cut && connector.wallMs(cut.time) >= Math.floor(ms) ? cut.time : at;
}

const rfc3339 = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;
const withoutZone = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?)?$/i;

/** Ms since 1970 of an RFC 3339 text. The smallest fraction of a second is one, and none fills a second. */
function wallMsOf(when: string): number | undefined {
  const match = rfc3339.exec(when);
  if (!match) return undefined;
  const [, date, fraction = '.0', zone] = match;
  const wholeMs = Date.parse(`${date}${zone}`);
  if (Number.isNaN(wholeMs)) return undefined;
  const fractionMs = Number(fraction) * 1000;
  // Any digit but 0 counts, and so does one that a double of this size cannot hold.
  return /[1-9]/.test(fraction)
    ? wholeMs + Math.min(Math.max(fractionMs, 0.001), 999.999)
    : wholeMs;
}

/** Says what a moment may be; of a time without a zone, how it is written in UTC. */
function noMoment({ state, connector }: PointContext, when: string): CodrError {
  const [whole, day, minute = '00:00', second = ':00'] = withoutZone.exec(when) ?? [];
  const inUtc = `${day}T${minute}${second}Z`;
  if (whole !== undefined && !Number.isNaN(Date.parse(inUtc))) {
    return new CodrError('usage', `"${when}" says no time zone`, {
      object: when,
      remedy: `write ${inUtc} if it is UTC, else its offset in place of Z, such as +01:00`,
    });
  }
  const settled = storedTime(state);
  const own = settled === undefined ? '' : ` (${connector.formatTime(settled)})`;
  return new CodrError('usage', `"${when}" is no time, and no point of this source`, {
    object: when,
    remedy:
      'give latest, a time with its zone (2026-11-22T13:05:00Z), a time in the form of the ' +
      `source${own}, or a point that \`codr points\` names`,
  });
}

/**
 * Everything in `scope` at `at`. Errors: `time-not-restorable` naming the nearest moments,
 * `namespace-unknown` when an include matches no dataset and nothing is there that could define more.
 */
export function resolvePoint(
  context: PointContext,
  at: SourceTime,
  scope: Scope = everything,
): ResolvedPoint {
  const { state, connector } = context;
  const refuse = (why: string): CodrError =>
    notRestorable(state, at, (time) => describeTime(connector, time), why);
  const epoch = epochAt(state, at);
  if (!epoch) throw refuse(whyOutside(context, at));
  const isCut = hasCuts(state);
  if (isCut && !cutAt(state, at)) throw refuse('it lies between two cuts');
  const entries = connector.foldCatalog(catalogChanges(state, epoch.number, at));
  const there = entries.filter((entry) => inScope(context.scope, entry));
  const chosen = there.filter((entry) => inScope(scope, entry));
  // What is excluded is not unknown.
  const unmatched = unmatchedBy(scope, there);
  const known = there.filter(({ role }) => role === 'data').map(({ namespace }) => namespace);
  const defines = chosen.some(({ role }) => role === 'definitions');
  if (unmatched[0] !== undefined && !defines) throw unknownNamespace(unmatched[0], known);
  const isEmptied = entries.some(({ role }) => role === 'data') && leavesNothing(scope, chosen);
  if (isEmptied && !defines) throw nothingLeft(scope);
  const datasets = chosen.map((entry): PointDataset => {
    const base = baseAt(state, entry.dataset, epoch.number, at);
    if (!base) throw refuse(`${entry.namespace} has no base copy as old as that`);
    return { entry, base };
  });
  const holes = holesOf(state).filter((hole) => !isBefore(hole, epoch));
  refuseDoubts(state, at, datasets, refuse);
  for (const { entry, base } of datasets) {
    const hole = holes.find(
      ({ dataset, from, to }) =>
        from < at &&
        (dataset === undefined || dataset === entry.dataset) &&
        (to === undefined || to > (isCut ? at : timeFromHex(base.exactFrom))),
    );
    if (hole) throw refuse(`${entry.namespace} has a hole: ${hole.reason}`);
  }
  return {
    ...{ at, datasets, unmatched },
    ...(unmatched.length > 0 && { known }),
    ...(isEmptied && { emptied: scope }),
  };
}

/** For people: the wall clock, and the source's own form unless all that the wall clock says is meant. */
export function describeTime(connector: Connector, time: SourceTime): string {
  const wallMs = connector.wallMs(time);
  const wall = new Date(wallMs).toISOString();
  return connector.timeOfWall(wallMs) === time ? wall : `${wall} (${connector.formatTime(time)})`;
}

/** The hole before an epoch concerns none of its base copies, also of those that were exact before the last. */
function isBefore({ dataset, from, to }: Hole, epoch: Epoch): boolean {
  if (to === undefined) return false;
  const hole = { from: timeToHex(from), to: timeToHex(to), ...(dataset && { dataset }) };
  return endsWithEpoch(hole, epoch);
}

/** A dataset that wants a base copy anew is in doubt from that time on. */
function refuseDoubts(
  state: StateView,
  at: SourceTime,
  datasets: readonly PointDataset[],
  refuse: (why: string) => CodrError,
): void {
  for (const { entry } of datasets) {
    const want = state.get<WantRecord>(`want/${entry.dataset}`);
    if (!want || want.initial || timeFromHex(want.from) > at) continue;
    throw refuse(
      `${entry.namespace} waits for a base copy: ${want.reason ?? 'it is new in scope'}`,
    );
  }
}

function whyOutside({ state, connector }: PointContext, at: SourceTime): string {
  const settled = storedTime(state);
  if (settled === undefined) return 'there is no history yet';
  if (at <= settled) return 'no unbroken history holds it';
  // What people take from a list of points means the whole second, of which the end may still be to come.
  if (Math.floor(connector.wallMs(at)) !== Math.floor(connector.wallMs(settled))) {
    return 'it is later than what is stored';
  }
  const newest = connector.formatTime(settled);
  return `it means all of that second, of which a part is stored; name the newest moment by ${newest}`;
}

function unmatchedBy(scope: Scope, chosen: readonly CatalogEntry[]): string[] {
  return scope.include.filter((pattern) => {
    const one: Scope = { include: [pattern], exclude: [] };
    return !chosen.some(({ namespace }) => scopeHolds(one, namespace));
  });
}

/** Definitions are always chosen: they count only when an include names them. */
function leavesNothing(scope: Scope, chosen: readonly CatalogEntry[]): boolean {
  const counts = (entry: CatalogEntry): boolean =>
    (entry.role === 'data' || scope.include.length > 0) && scopeHolds(scope, entry.namespace);
  return scope.exclude.length > 0 && !chosen.some(counts);
}

export function nothingLeft({ exclude }: Scope): CodrError {
  return new CodrError('namespace-unknown', `the excludes leave nothing: ${exclude.join(', ')}`, {
    remedy: 'exclude less; see `codr ls` for the names at that time',
  });
}

/** Names that a message lists. */
const listedMax = 8;

/** Nothing at the point has this name, or fits this pattern. `known`: what there is. */
export function unknownNamespace(name: string, known: readonly string[] = []): CodrError {
  const inSame = name.slice(0, name.indexOf('.') + 1);
  const [near, far] = [true, false].map((is) =>
    known.filter((one) => one.startsWith(inSame) === is).sort(),
  ) as [string[], string[]];
  const listed = [...near, ...far].slice(0, listedMax);
  const there = listed.length === 0 ? '' : `there is ${listed.join(', ')}: `;
  return new CodrError('namespace-unknown', `nothing is called ${name} at that time`, {
    object: name,
    remedy: `${there}see \`codr ls\` for the names at that time`,
  });
}
