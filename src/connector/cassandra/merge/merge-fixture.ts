// The oracle of the merge: a table of two clustering columns as a list of facts, what holds of them evaluated
// position by position with maps and big integers, and the records of that. It shares no code with the merge.
// A partition's place is a number: row (a, b) is 100a + 10(b + 1), the bounds of a prefix lie round its rows.
import fc from 'fast-check';
import { type BlockStream, blockOf, type RecordBlock } from '../../../model/record-block.ts';

export type Mark = readonly [at: bigint, time: number];
export interface Bound {
  readonly prefix: readonly number[];
  readonly after: boolean;
}
export interface Cell {
  readonly at: bigint;
  readonly kind: 'plain' | 'expiring' | 'tombstone';
  readonly expiry: number;
  readonly ttl: number;
  readonly value: readonly number[];
  readonly original?: number;
}
/** `row` is absent for the static one. */
export type Fact = { readonly p: number } & (
  | { readonly is: 'partition'; readonly mark: Mark }
  | { readonly is: 'range'; readonly from: Bound; readonly to: Bound; readonly mark: Mark }
  | { readonly is: 'row'; readonly row: readonly number[]; readonly mark: Mark }
  | { readonly is: 'live'; readonly row: readonly number[]; readonly cell: Cell }
  | {
      readonly is: 'cell';
      readonly row?: readonly number[];
      readonly name: string;
      readonly path?: number;
      readonly cell: Cell;
    }
  | {
      readonly is: 'complex';
      readonly row?: readonly number[];
      readonly name: string;
      readonly mark: Mark;
    }
);

export interface ModelColumn {
  readonly mark: Mark | undefined;
  /** By path; -1 in a simple column. */
  readonly cells: ReadonlyMap<number, Cell>;
}
export interface ModelRow {
  readonly row: readonly number[] | undefined;
  readonly live: Cell | undefined;
  readonly mark: Mark | undefined;
  readonly columns: ReadonlyMap<string, ModelColumn>;
}
export interface ModelPartition {
  readonly p: number;
  readonly mark: Mark | undefined;
  readonly markers: readonly { readonly bound: Bound; readonly mark: Mark | undefined }[];
  readonly rows: readonly ModelRow[];
}

/** Escaped keys: a plain one, one with zeros inside and at its end, one that is cut. */
const partitionKeys = [
  { raw: [0x61], escaped: [0x61, 0] },
  { raw: [0, 0, 7, 0], escaped: [0, 0xfe, 0xff, 7, 0, 0xfe] },
  { raw: new Array(700).fill(0x40), escaped: new Array(600).fill(0x40) },
];

const greater = (a: Mark | undefined, b: Mark | undefined): boolean =>
  a !== undefined && (b === undefined || a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]));
const greatest = (marks: readonly Mark[]): Mark | undefined =>
  marks.reduce<Mark | undefined>((best, mark) => (greater(mark, best) ? mark : best), undefined);

/** Everything that decides between two cells, most important first, as text that sorts. */
function rank(cell: Cell): string {
  const number = (n: bigint): string => (n + 2n ** 63n).toString().padStart(20, '0');
  const kind = { plain: 0, expiring: 1, tombstone: 2 }[cell.kind];
  // 'g' ends the value: it sorts before what a longer one goes on with only if that comes first.
  const value = cell.value.map((byte) => String.fromCharCode(0x100 + byte)).join('');
  const original = cell.original === undefined ? 9 : 8 - cell.original;
  const tail = [number(BigInt(cell.ttl)), String(original)].join('');
  return [number(cell.at), kind, number(BigInt(cell.expiry)), `${value}\u0001`, tail].join('');
}
const winner = (cells: readonly Cell[]): Cell | undefined =>
  cells.reduce<Cell | undefined>(
    (best, cell) => (best === undefined || rank(cell) > rank(best) ? cell : best),
    undefined,
  );

const place = ({ prefix: [a, b], after }: Bound): number => {
  if (a === undefined) return after ? 1000 : -1;
  if (b === undefined) return 100 * a + (after ? 99 : 0);
  return 100 * a + 10 * (b + 1) + (after ? 1 : -1);
};

/** What holds of the facts. */
export function evaluate(facts: readonly Fact[]): ModelPartition[] {
  return [0, 1, 2].map((p) =>
    evaluatePartition(
      p,
      facts.filter((fact) => fact.p === p),
    ),
  );
}

function evaluatePartition(p: number, facts: readonly Fact[]): ModelPartition {
  const mark = greatest(facts.flatMap((fact) => (fact.is === 'partition' ? [fact.mark] : [])));
  const ranges = facts.filter((fact) => fact.is === 'range');
  const rangeAt = (at: number): Mark | undefined => {
    const covering = ranges.filter(({ from, to }) => place(from) <= at && at < place(to));
    const best = greatest(covering.map((range) => range.mark));
    return greater(best, mark) ? best : undefined;
  };
  const bounds = new Map(ranges.flatMap(({ from, to }) => [from, to]).map((b) => [place(b), b]));
  let state: Mark | undefined;
  const markers = [...bounds.keys()]
    .sort((a, b) => a - b)
    .flatMap((at) => {
      const next = rangeAt(at);
      if (next?.[0] === state?.[0] && next?.[1] === state?.[1]) return [];
      state = next;
      return [{ bound: bounds.get(at) as Bound, mark: next }];
    });
  const rows = [undefined, ...[0, 1, 2].flatMap((a) => [0, 1, 2].map((b) => [a, b]))].map((row) => {
    const at = row === undefined ? -2 : 100 * (row[0] as number) + 10 * ((row[1] as number) + 1);
    const own = facts.filter(
      (fact) => fact.is !== 'range' && fact.is !== 'partition' && String(fact.row) === String(row),
    );
    return evaluateRow(row, own, row === undefined ? mark : (rangeAt(at) ?? mark));
  });
  return { p, mark, markers, rows };
}

function evaluateRow(
  row: readonly number[] | undefined,
  facts: readonly Fact[],
  enclosing: Mark | undefined,
): ModelRow {
  const deletion = greatest(facts.flatMap((fact) => (fact.is === 'row' ? [fact.mark] : [])));
  const mark = greater(deletion, enclosing) ? deletion : undefined;
  const active = mark ?? enclosing;
  const seen = (cell: Cell, by: Mark | undefined): boolean => by === undefined || cell.at > by[0];
  const live = winner(facts.flatMap((fact) => (fact.is === 'live' ? [fact.cell] : [])));
  const columns = new Map<string, ModelColumn>();
  for (const name of ['a', 'b', 'm']) {
    const marks = facts.flatMap((f) => (f.is === 'complex' && f.name === name ? [f.mark] : []));
    const complex = greatest(marks);
    const columnMark = greater(complex, active) ? complex : undefined;
    const cells = new Map<number, Cell>();
    for (const path of [-1, 0, 1, 2]) {
      const own = facts.flatMap((f) =>
        f.is === 'cell' && f.name === name && (f.path ?? -1) === path ? [f.cell] : [],
      );
      const best = winner(own.filter((cell) => seen(cell, columnMark ?? active)));
      if (best !== undefined) cells.set(path, best);
    }
    if (columnMark !== undefined || cells.size > 0) columns.set(name, { mark: columnMark, cells });
  }
  return { row, live: live !== undefined && seen(live, active) ? live : undefined, mark, columns };
}

const u32 = (n: number): number[] => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
const i64 = (n: bigint): number[] =>
  [...Array(8).keys()].map((i) => Number((n >> BigInt(56 - 8 * i)) & 255n));
const deletion = (mark: Mark | undefined): number[] =>
  mark ? [...i64(mark[0]), ...u32(mark[1])] : [];
const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const sized = (bytes: readonly number[]): number[] => [...varint(bytes.length), ...bytes];
/** Clusterings that begin with 2 have originals, the others none. */
const originalsOf = (prefix: readonly number[]): number[] =>
  prefix[0] === 2 ? prefix.flatMap((value, i) => (i === 0 ? [2, value] : [0])) : [];

/** The records of partitions, ascending. */
export function encode(partitions: readonly ModelPartition[]): RecordBlock {
  const records: { key: number[]; value: number[] }[] = [];
  for (const { p, mark, markers, rows } of partitions) {
    const key = partitionKeys[p] as (typeof partitionKeys)[number];
    const before = [0x80, 0, 0, 0, 0, 0, 0, p === 2 ? 1 : p, ...key.escaped];
    const own: { key: number[]; value: number[] }[] = [];
    if (mark !== undefined) own.push({ key: [...before, 0x20], value: deletion(mark) });
    const clustering = (prefix: readonly number[], end: number): number[] => [
      ...before,
      0x40,
      ...prefix.flatMap((value) => [0x40, value]),
      end,
    ];
    for (const { bound, mark: state } of markers) {
      const originals = originalsOf(bound.prefix);
      const flags = (state === undefined ? 0 : 1) | (originals.length > 0 ? 8 : 0);
      const end = bound.after ? 0x60 : 0x20;
      own.push({
        key: clustering(bound.prefix, end),
        value: [flags, ...originals, ...deletion(state)],
      });
    }
    for (const row of rows) {
      const value = encodeRow(row);
      if (value === undefined) continue;
      own.push({
        key: row.row === undefined ? [...before, 0x28] : clustering(row.row, 0x38),
        value,
      });
    }
    if (p === 2 && own.length > 0) own.push({ key: [...before, 0x18], value: key.raw });
    records.push(...own);
  }
  return blockOf(
    records
      .map(({ key, value }) => ({ key: Buffer.from(key), value: Buffer.from(value) }))
      .sort((a, b) => Buffer.compare(a.key, b.key)),
  );
}

function encodeRow({ row, live, mark, columns }: ModelRow): number[] | undefined {
  if (live === undefined && mark === undefined && columns.size === 0) return undefined;
  const originals = row === undefined ? [] : originalsOf(row);
  const expiring = live?.kind === 'expiring';
  const bytes = [
    (live ? 1 : 0) | (expiring ? 2 : 0) | (mark ? 4 : 0) | (originals.length > 0 ? 8 : 0),
    ...originals,
    ...(live ? i64(live.at) : []),
    ...(live && expiring ? [...u32(live.ttl), ...u32(live.expiry)] : []),
    ...deletion(mark),
  ];
  for (const [name, column] of columns) {
    bytes.push(...sized([...Buffer.from(name)]));
    if (name === 'm')
      bytes.push(column.mark ? 0x41 : 0x40, ...deletion(column.mark), column.cells.size);
    for (const [path, cell] of column.cells) bytes.push(...encodeCell(cell, path, live));
  }
  return bytes;
}

function encodeCell(cell: Cell, path: number, live: Cell | undefined): number[] {
  const expires = cell.kind === 'expiring';
  const sameAt = live?.at === cell.at;
  const sameExpiry =
    expires && live?.kind === 'expiring' && live.expiry === cell.expiry && live.ttl === cell.ttl;
  const flags =
    { plain: 0, tombstone: 1, expiring: 2 }[cell.kind] |
    (cell.value.length === 0 ? 4 : 0) |
    (sameAt ? 8 : 0) |
    (sameExpiry ? 16 : 0) |
    (cell.original === undefined ? 0 : 128);
  return [
    flags,
    ...(sameAt ? [] : i64(cell.at)),
    ...(cell.kind === 'plain' || sameExpiry ? [] : u32(cell.expiry)),
    ...(expires && !sameExpiry ? u32(cell.ttl) : []),
    ...(path < 0 ? [] : sized([path])),
    ...(cell.original === undefined ? [] : sized([cell.original])),
    ...(cell.value.length === 0 ? [] : sized(cell.value)),
  ];
}

const timestamp = fc.constantFrom(-5n, 1n, 2n, 3n, 4n, 2n ** 32n + 1n, 2n ** 40n, 2n ** 62n);
const mark: fc.Arbitrary<Mark> = fc.tuple(timestamp, fc.constantFrom(10, 20, 3_000_000_000));
const clusteringValue = fc.nat(2);
const rowKey = fc.tuple(clusteringValue, clusteringValue);
const bound: fc.Arbitrary<Bound> = fc.record({
  prefix: fc.array(clusteringValue, { maxLength: 2 }),
  after: fc.boolean(),
});

/** Any cell; `expiryOf` may tie the expiry to the timestamp. */
export function cellOf(expiryOf?: (at: bigint) => number): fc.Arbitrary<Cell> {
  return fc
    .record({
      at: timestamp,
      kind: fc.constantFrom('plain', 'expiring', 'tombstone'),
      expiry: fc.constantFrom(100, 200, 4_000_000_000),
      ttl: fc.constantFrom(5, 50),
      value: fc.array(fc.constantFrom(0, 9, 255), { maxLength: 2 }),
    })
    .map(
      ({ at, kind, expiry, ttl, value }): Cell => ({
        at,
        kind,
        expiry: kind === 'plain' ? 0 : (expiryOf?.(at) ?? expiry),
        ttl: kind === 'expiring' ? ttl : 0,
        value: kind === 'tombstone' ? [] : value,
      }),
    );
}

/** Any fact of the table: columns `a` and `b` are simple, `m` is complex. */
export function factOf(cell: fc.Arbitrary<Cell> = cellOf()): fc.Arbitrary<Fact> {
  const p = fc.nat(2);
  const row = fc.option(rowKey, { nil: undefined, freq: 5 });
  const withOriginal = fc
    .tuple(cell, fc.option(fc.nat(2), { nil: undefined }))
    .map(([one, original]): Cell => (original === undefined ? one : { ...one, original }));
  const ordered = fc
    .tuple(bound, bound)
    .filter(([from, to]) => place(from) !== place(to))
    .map(([from, to]) => (place(from) < place(to) ? { from, to } : { from: to, to: from }));
  const live = cell.map(
    (one): Cell => (one.kind === 'tombstone' ? { ...one, kind: 'plain', expiry: 0 } : one),
  );
  const absent = <T extends { row?: unknown }>(fact: T): T => {
    if (fact.row === undefined) delete fact.row;
    return fact;
  };
  return fc.oneof(
    { weight: 1, arbitrary: fc.record({ is: fc.constant('partition' as const), p, mark }) },
    {
      weight: 3,
      arbitrary: fc
        .record({ is: fc.constant('range' as const), p, ends: ordered, mark })
        .map(({ ends, ...rest }) => ({ ...rest, ...ends })),
    },
    { weight: 2, arbitrary: fc.record({ is: fc.constant('row' as const), p, row: rowKey, mark }) },
    {
      weight: 3,
      arbitrary: fc.record({
        is: fc.constant('live' as const),
        p,
        row: rowKey,
        cell: live.map((one) => ({ ...one, value: [] })),
      }),
    },
    {
      weight: 8,
      arbitrary: fc
        .record({ is: fc.constant('cell' as const), p, row, name: fc.constantFrom('a', 'b'), cell })
        .map(absent),
    },
    {
      weight: 6,
      arbitrary: fc
        .record({
          is: fc.constant('cell' as const),
          p,
          row,
          name: fc.constant('m'),
          path: fc.nat(2),
          cell: withOriginal,
        })
        .map(absent),
    },
    {
      weight: 2,
      arbitrary: fc
        .record({ is: fc.constant('complex' as const), p, row, name: fc.constant('m'), mark })
        .map(absent),
    },
  ) as fc.Arbitrary<Fact>;
}

/** A block as a stream, in pieces of so many records. */
export async function* streamOf(block: RecordBlock, recordsMax = 3): BlockStream {
  for (const records of piecesOf(block, recordsMax)) yield blockOf(records);
}

function piecesOf(
  block: RecordBlock,
  recordsMax: number,
): { key: Uint8Array; value: Uint8Array }[][] {
  const pieces: { key: Uint8Array; value: Uint8Array }[][] = [];
  recordsOf(block).forEach((record, i) => {
    if (i % recordsMax === 0) pieces.push([]);
    pieces.at(-1)?.push(record);
  });
  return pieces;
}

export function recordsOf({
  bytes,
  bounds,
  count,
}: RecordBlock): { key: Uint8Array; value: Uint8Array }[] {
  return [...Array(count).keys()].map((i) => ({
    key: bytes.slice(bounds[2 * i], bounds[2 * i + 1]),
    value: bytes.slice(bounds[2 * i + 1], bounds[2 * i + 2]),
  }));
}

/** All records of a stream, one line of hex each. */
export async function linesOf(stream: BlockStream): Promise<string[]> {
  const lines: string[] = [];
  for await (const block of stream) {
    for (const { key, value } of recordsOf(block)) {
      lines.push(`${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`);
    }
  }
  return lines;
}
