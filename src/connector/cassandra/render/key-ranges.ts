// Which records a condition on the primary key means: whole partitions, or of a partition its key, deletion and static
// row, and a slice of its clustering. Ranges ascend and are disjoint, so that a fold passes them one after another.
import { compareBytes, concatBytes } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import { type KeyRange, unionRanges } from '../../../model/key-range.ts';
import type { NamedRecords } from '../../connector.ts';
import {
  type ClusteringCodec,
  type ClusteringEnd,
  clusteringCodec,
} from '../key/clustering-codec.ts';
import {
  partitionPrefixBytesMax,
  tokenMax,
  tokenMin,
  tokenRange,
  writePartitionPrefix,
} from '../key/record-key.ts';
import { clusteringEnds, keyKinds } from '../record/record-layout.ts';
import type { Column, TableSchema } from '../schema/table-schema.ts';
import { LiteralError } from './encode-scalar.ts';
import { encodeValue } from './encode-value.ts';
import type { Literal } from './literal.ts';
import { parseJsonKey, parseRelations, type Relation } from './parse-relations.ts';

/** Ranges that one condition may come to: `IN` multiplies. */
const rangesMax = 10_000;
const keyBytesMax = 0xffff;

/** What `--query` means. Errors: `usage`, which name table and column. */
export function parseQuery(schema: TableSchema, text: string): KeyRange[] {
  const selection = new KeySelection(schema, parseRelations(nameOf(schema), text));
  return unionRanges(selection.ranges());
}

/** A primary key, or a partition key alone, as JSON or as a condition. Errors: `usage`. */
export function parseKey(schema: TableSchema, text: string): NamedRecords {
  const isJson = text.trimStart().startsWith('{');
  const relations = (isJson ? parseJsonKey : parseRelations)(nameOf(schema), text);
  const selection = new KeySelection(schema, relations);
  // What is told of a single row lies at the end: ranges of one partition ascend.
  return { ranges: unionRanges(selection.ranges()), isOne: selection.isOne };
}

/** `FROM..TO`, tokens: those after FROM, up to TO, round the ring's end where FROM is not below TO. Errors: `usage`. */
export function parseTokenRange(text: string): KeyRange[] {
  const match = /^\s*(-?\d{1,19})\s*\.\.\s*(-?\d{1,19})\s*$/.exec(text);
  const bounds = match?.slice(1).map(BigInt) ?? [];
  const [from, to] = bounds;
  if (
    from === undefined ||
    to === undefined ||
    !bounds.every((token) => token >= tokenMin && token <= tokenMax)
  ) {
    throw new CodrError('usage', `"${text}" is no range of tokens`, {
      object: text,
      remedy: `write FROM..TO, both from ${tokenMin} to ${tokenMax}: the tokens after FROM, up to TO`,
    });
  }
  return tokenRange(from, to);
}

class KeySelection {
  readonly #schema: TableSchema;
  readonly #codec: ClusteringCodec;
  readonly #byColumn = new Map<string, Relation[]>();

  constructor(schema: TableSchema, relations: readonly Relation[]) {
    this.#schema = schema;
    this.#codec = clusteringCodec(schema.clustering.map(({ type }) => type));
    for (const relation of relations) {
      this.#check(relation.column);
      const known = this.#byColumn.get(relation.column) ?? [];
      this.#byColumn.set(relation.column, [...known, relation]);
    }
  }

  get isOne(): boolean {
    const { partitionKey, clustering } = this.#schema;
    return [...partitionKey, ...clustering].every(({ name }) => {
      const [relation, ...more] = this.#byColumn.get(name) ?? [];
      return relation?.values.length === 1 && isEquality(relation) && more.length === 0;
    });
  }

  ranges(): KeyRange[] {
    const slices = this.#slices();
    const partitions = this.#partitions();
    if (partitions.length * slices.length > rangesMax) {
      throw this.#fail(`this means more than ${rangesMax} ranges of keys`);
    }
    return partitions.flatMap((prefix) => {
      const clustering = concatBytes([prefix, Buffer.of(keyKinds.clustering)]);
      const after = concatBytes([prefix, Buffer.of(keyKinds.clustering + 1)]);
      if (!this.#restrictsClustering) {
        // A table without clustering has one row a partition; it stands apart, as the row of a key does.
        const rows = { from: clustering, to: after };
        return this.#schema.clustering.length === 0
          ? [{ from: prefix, to: clustering }, rows]
          : [{ from: prefix, to: after }];
      }
      const within = slices.map(({ from, to }) => ({
        from: concatBytes([clustering, from]),
        to: concatBytes([clustering, to]),
      }));
      return [{ from: prefix, to: clustering }, ...within];
    });
  }

  get #restrictsClustering(): boolean {
    return this.#schema.clustering.some(({ name }) => this.#byColumn.has(name));
  }

  /** Token and escaped key of each partition, ascending. */
  #partitions(): Uint8Array[] {
    const { partitionKey } = this.#schema;
    const choices = partitionKey.map((column) => {
      const relations = this.#byColumn.get(column.name) ?? [];
      if (relations.length === 0) {
        throw this.#fail(`column "${column.name}" of the partition key must be given, by = or IN`);
      }
      const [relation] = relations as [Relation];
      if (!isEquality(relation)) {
        throw this.#fail(
          `column "${column.name}" of the partition key takes = and IN, not ${relation.operator}`,
        );
      }
      this.#once(column, relations);
      return relation.values.map((value) => this.#notNull(column, this.#encode(column, value)));
    });
    const keys = this.#product(choices).map((parts) =>
      parts.length === 1 ? (parts[0] as Uint8Array) : compositeKey(parts),
    );
    if (keys.some(({ length }) => length > keyBytesMax)) {
      throw this.#fail(`a partition key has at most ${keyBytesMax} bytes`);
    }
    return keys.map(partitionPrefix).sort(compareBytes);
  }

  /** Bounds of clustering, without what stands before it in a key. */
  #slices(): { readonly from: Uint8Array; readonly to: Uint8Array }[] {
    const { clustering } = this.#schema;
    const choices: (Uint8Array | undefined)[][] = [];
    let slice: { readonly column: Column; readonly relations: readonly Relation[] } | undefined;
    let open: string | undefined;
    for (const column of clustering) {
      const relations = this.#byColumn.get(column.name);
      if (relations && (open !== undefined || slice)) {
        const before =
          open === undefined ? `"${slice?.column.name}" takes a range` : `"${open}" is not given`;
        throw this.#fail(`column "${column.name}" cannot be asked for where ${before}`);
      }
      if (!relations) open ??= column.name;
      else if (relations.every(isEquality)) {
        this.#once(column, relations);
        choices.push((relations[0]?.values ?? []).map((value) => this.#encode(column, value)));
      } else slice = { column, relations };
    }
    const prefixes = this.#product(choices);
    return prefixes.map((prefix) => this.#slice(prefix, slice));
  }

  #slice(
    prefix: readonly (Uint8Array | undefined)[],
    slice: { readonly column: Column; readonly relations: readonly Relation[] } | undefined,
  ): { readonly from: Uint8Array; readonly to: Uint8Array } {
    const bounds = {
      from: this.#bound(prefix, clusteringEnds.before),
      to: this.#bound(prefix, clusteringEnds.after),
    };
    if (!slice) return bounds;
    const { column, relations } = slice;
    const isDescending = column.type.kind === 'reversed';
    const given = new Set<string>();
    for (const { operator, values } of relations) {
      const isLower = operator.startsWith('>');
      if (operator === '=' || operator === 'IN' || given.has(operator[0] as string)) {
        throw this.#fail(`column "${column.name}" is given twice`);
      }
      given.add(operator[0] as string);
      const value = this.#notNull(column, this.#encode(column, values[0] as Literal));
      const isStart = isLower !== isDescending;
      // A bound stands before all that begins with the value, or after it.
      const isBefore = operator.endsWith('=') === isStart;
      const end = isBefore ? clusteringEnds.before : clusteringEnds.after;
      const bound = this.#bound([...prefix, value], end);
      if (isStart) bounds.from = bound;
      else bounds.to = bound;
    }
    return bounds;
  }

  #bound(values: readonly (Uint8Array | undefined)[], end: ClusteringEnd): Uint8Array {
    const ranges = new Int32Array(2 * this.#codec.size);
    let at = 0;
    values.forEach((value, i) => {
      ranges[2 * i] = value ? at : -1;
      at += value?.length ?? 0;
      ranges[2 * i + 1] = value ? at : -1;
    });
    const bytes = concatBytes(values.map((value) => value ?? new Uint8Array(0)));
    const target = new Uint8Array(this.#codec.lengthMax(bytes.length));
    const bound = { count: values.length, end };
    return target.subarray(0, this.#codec.encodeBound(bytes, ranges, bound, target, 0));
  }

  #product<T>(choices: readonly (readonly T[])[]): T[][] {
    return choices.reduce<T[][]>(
      (all, values) => {
        if (all.length * values.length > rangesMax) {
          throw this.#fail(`this means more than ${rangesMax} keys`);
        }
        return all.flatMap((before) => values.map((value) => [...before, value]));
      },
      [[]],
    );
  }

  #encode(column: Column, value: Literal): Uint8Array | undefined {
    try {
      return encodeValue(column.type, value);
    } catch (error) {
      if (!(error instanceof LiteralError)) throw error;
      throw this.#fail(`column "${column.name}": ${error.message}`);
    }
  }

  #notNull({ name }: Column, value: Uint8Array | undefined): Uint8Array {
    if (value) return value;
    throw this.#fail(`column "${name}": null is no value of a key`);
  }

  #once({ name }: Column, relations: readonly Relation[]): void {
    if (relations.length > 1) throw this.#fail(`column "${name}" is given twice`);
  }

  #check(name: string): void {
    const { partitionKey, clustering, statics, regulars } = this.#schema;
    const keys = [...partitionKey, ...clustering];
    if (keys.some((column) => column.name === name)) return;
    const known = [...statics, ...regulars].some((column) => column.name === name);
    const names = keys.map((column) => `"${column.name}"`).join(', ');
    throw this.#fail(
      known
        ? `column "${name}" is not of the primary key: only ${names} can be asked for`
        : `there is no column "${name}"; the primary key has ${names}`,
    );
  }

  #fail(what: string): CodrError {
    const object = nameOf(this.#schema);
    return new CodrError('usage', `${object}: ${what}`, { object });
  }
}

function isEquality({ operator }: Relation): boolean {
  return operator === '=' || operator === 'IN';
}

function nameOf({ keyspace, table }: TableSchema): string {
  return `${keyspace}.${table}`;
}

/** Each value behind a length of 16 bits and before a zero. */
function compositeKey(parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(
    parts.flatMap((part) => {
      const length = Buffer.alloc(2);
      // What is longer is refused as a whole.
      length.writeUInt16BE(Math.min(part.length, keyBytesMax));
      return [length, part, Buffer.of(0)];
    }),
  );
}

function partitionPrefix(key: Uint8Array): Uint8Array {
  const target = new Uint8Array(partitionPrefixBytesMax);
  return target.subarray(0, writePartitionPrefix(key, 0, key.length, target, 0));
}
