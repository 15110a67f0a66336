// A restore of parts: which records of which dataset are wanted. Ranges are meant of every dataset, a query of the one
// that it names; a record has to be in a range and, where its dataset has queries, in what one of them means.
import { CodrError } from '../../base/error.ts';
import type { Connector } from '../../connector/connector.ts';
import type { DatasetId } from '../../model/id.ts';
import { intersectRanges, type KeyRange, unionRanges } from '../../model/key-range.ts';
import type { PointDataset } from '../read/point.ts';

/** As the user wrote them. */
export interface PartsWish {
  /** {@link Connector.parseRange} */
  readonly ranges: readonly string[];
  /** {@link Connector.parseQuery} */
  readonly queries: readonly DatasetQuery[];
}

export interface DatasetQuery {
  readonly namespace: string;
  readonly text: string;
}

/** Ascending, disjoint ranges of each dataset that is wanted in part; of those that are absent all is wanted. */
export type WantedParts = ReadonlyMap<DatasetId, readonly KeyRange[]>;

/** Reads `NAMESPACE=CONDITION`. Errors: `usage`. */
export function parseDatasetQuery(text: string): DatasetQuery {
  const at = text.indexOf('=');
  const namespace = text.slice(0, at).trim();
  const condition = text.slice(at + 1).trim();
  // A condition alone has its first = behind a column and not behind a name with a point.
  if (at < 0 || condition === '' || !/^[^\s.]+\.[^\s]+$/.test(namespace)) {
    throw new CodrError('usage', `"${text}" is no query`, {
      object: text,
      remedy: "write TABLE=CONDITION, such as shop.orders=customer = 5 AND placed >= '2026-01-01'",
    });
  }
  return { namespace, text: condition };
}

/**
 * Errors: `usage`: for a kind that has no such parts, for what cannot be read, and for a query that names no dataset
 * of the restore.
 */
export function wantedParts(
  connector: Connector,
  wish: PartsWish | undefined,
  datasets: readonly PointDataset[],
): WantedParts {
  if (!wish) return new Map();
  const parse = parsersOf(connector, wish);
  const entries = datasets.map(({ entry }) => entry).filter(({ role }) => role === 'data');
  const ranges = wish.ranges.length > 0 ? unionRanges(wish.ranges.flatMap(parse.range)) : undefined;
  const queried = new Map<DatasetId, KeyRange[]>();
  for (const { namespace, text } of wish.queries) {
    const entry = entries.find((one) => one.namespace === namespace);
    if (!entry) throw noSuchDataset(namespace);
    const known = queried.get(entry.dataset) ?? [];
    queried.set(entry.dataset, unionRanges([...known, ...parse.query(entry, text)]));
  }
  const parts = new Map<DatasetId, readonly KeyRange[]>();
  for (const { dataset } of entries) {
    const own = queried.get(dataset);
    const wanted = own && ranges ? intersections(own, ranges) : (own ?? ranges);
    if (wanted) parts.set(dataset, wanted);
  }
  return parts;
}

/** What lies in both; each ascending and disjoint, and so is the result. */
export function intersections(a: readonly KeyRange[], b: readonly KeyRange[]): KeyRange[] {
  return unionRanges(
    a.flatMap((one) =>
      b.flatMap((other) => {
        const common = intersectRanges(one, other);
        return common ? [common] : [];
      }),
    ),
  );
}

/** Errors: `usage`, when the kind of database has no such parts. Known before anything is opened. */
export function refuseParts(connector: Connector, wish: PartsWish | undefined): void {
  if (wish) parsersOf(connector, wish);
}

interface Parsers {
  readonly range: (text: string) => KeyRange[];
  readonly query: NonNullable<Connector['parseQuery']>;
}

function parsersOf(connector: Connector, { ranges, queries }: PartsWish): Parsers {
  const none = (option: string): CodrError =>
    new CodrError('usage', `${option} means nothing for ${connector.kind}`, {
      object: option,
      remedy: 'use --include and --exclude: whole datasets can be chosen',
    });
  if (ranges.length > 0 && !connector.parseRange) throw none('--token-range');
  if (queries.length > 0 && !connector.parseQuery) throw none('--query');
  return {
    range: (text) => connector.parseRange?.(text) ?? [],
    query: (entry, text) => connector.parseQuery?.(entry, text) ?? [],
  };
}

function noSuchDataset(namespace: string): CodrError {
  return new CodrError('usage', `--query names ${namespace}, which the restore does not hold`, {
    object: namespace,
    remedy: 'name a dataset that `codr ls` lists at that moment, and that --include lets in',
  });
}
