// Random statements of every kind: cells, rows, ranges, partitions, elements of collections,
// counters, batches; with timestamps that are equal or out of order, and times to live that end
// soon or late.
import type { Random } from '../../src/base/random.ts';
import type { KeyColumn, TestSchema, TestTable, ValueColumn } from './cassandra-schema.ts';
import { type ComplexType, pick, some, type ValueType } from './cassandra-types.ts';

/** The longest of the short times to live. */
export const shortTtlSeconds = 2;
const longTtlSeconds = 100_000;

/** Text for one table or a batch over some. */
export class StatementMaker {
  readonly #schema: TestSchema;
  readonly #random: Random;

  constructor(schema: TestSchema, random: Random) {
    this.#schema = schema;
    this.#random = random;
  }

  next(): string {
    const random = this.#random;
    if (random.below(8) > 0) return this.#single(pick(random, this.#schema.tables));
    const isCounter = random.below(4) === 0;
    const tables = this.#schema.tables.filter((table) => table.isCounter === isCounter);
    const count = 2 + random.below(4);
    const parts = Array.from({ length: count }, () => {
      const table = pick(random, tables);
      return isCounter ? this.#increment(table) : this.#single(table);
    });
    const kind = isCounter ? 'COUNTER ' : pick(random, ['', 'UNLOGGED ']);
    return `BEGIN ${kind}BATCH ${parts.join('; ')}; APPLY BATCH`;
  }

  #single(table: TestTable): string {
    const kind = this.#random.below(100);
    if (table.isCounter) {
      // What is deleted of a counter is better not counted again: increments to it are undefined.
      return this.#increment(table);
    }
    if (kind < 35) return this.#insert(table);
    if (kind < 75) return this.#update(table);
    if (kind < 84) return this.#deleteCells(table);
    if (kind < 90) return this.#delete(table, this.#rowKey(table));
    if (kind < 98 && table.clustering.length > 0) return this.#deleteRange(table);
    return this.#delete(table, this.#equal(table.partition));
  }

  #increment(table: TestTable): string {
    const { column, where } = this.#target(table, () => true);
    const sets = `${column.name} = ${column.name} + ${column.type.literal(this.#random)}`;
    return `UPDATE ${table.name} SET ${sets} WHERE ${where}`;
  }

  #insert(table: TestTable): string {
    const random = this.#random;
    const isStatic = random.below(8) === 0 && table.columns.some((column) => column.isStatic);
    const keys = isStatic ? table.partition : [...table.partition, ...table.clustering];
    const columns = table.columns.filter(
      (column) => (!isStatic || column.isStatic) && random.below(3) > 0,
    );
    // Statics alone need a value, or the row would be asked for.
    if (isStatic && columns.length === 0) return this.#update(table);
    const names = [...keys, ...columns].map(({ name }) => name);
    const values = [
      ...keys.map((key) => pick(random, key.values)),
      ...columns.map(({ type }) => this.#value(type)),
    ];
    const head = `INSERT INTO ${table.name} (${names.join(', ')}) VALUES (${values.join(', ')})`;
    return `${head}${this.#using(true)}`;
  }

  #update(table: TestTable): string {
    const { column, where, isStatic } = this.#target(table, () => true);
    const others = table.columns.filter(
      (other) => other !== column && other.isStatic === isStatic && this.#random.below(4) === 0,
    );
    const sets = [column, ...others].map((one) => this.#assignment(one)).join(', ');
    return `UPDATE ${table.name}${this.#using(true)} SET ${sets} WHERE ${where}`;
  }

  #assignment({ name, type }: ValueColumn): string {
    const random = this.#random;
    if (!('kind' in type) || random.below(4) === 0) return `${name} = ${this.#value(type)}`;
    const value = type.literal(random);
    if (type.kind === 'udt') {
      const field = pick(random, type.fields);
      return `${name}.${field.name} = ${this.#value(field.type)}`;
    }
    const element = this.#value(type.element);
    if (type.kind === 'map') {
      const removed = `{${some(random, 2, () => type.key.literal(random)).join(', ')}}`;
      return pick(random, [
        `${name} = ${name} + ${value}`,
        `${name}[${type.key.literal(random)}] = ${element}`,
        `${name} = ${name} - ${removed}`,
      ]);
    }
    const changes = [`${name} = ${name} + ${value}`, `${name} = ${name} - ${value}`];
    if (type.kind === 'set') return pick(random, changes);
    return pick(random, [
      ...changes,
      `${name} = ${value} + ${name}`,
      `${name}[${random.below(2)}] = ${element}`,
    ]);
  }

  #deleteCells(table: TestTable): string {
    const { column, where } = this.#target(table, () => true);
    const what = this.#part(column);
    return `DELETE ${what} FROM ${table.name}${this.#using(false)} WHERE ${where}`;
  }

  /** A column or an element of it. */
  #part({ name, type }: { readonly name: string; readonly type: ValueType | ComplexType }): string {
    const random = this.#random;
    if (!('kind' in type) || random.below(3) === 0) return name;
    if (type.kind === 'udt') return `${name}.${pick(random, type.fields).name}`;
    if (type.kind === 'list') return `${name}[${random.below(2)}]`;
    return `${name}[${(type.kind === 'map' ? type.key : type.element).literal(random)}]`;
  }

  #deleteRange(table: TestTable): string {
    const random = this.#random;
    const { clustering } = table;
    const fixed = random.below(clustering.length);
    const parts = [this.#equal(table.partition)];
    if (fixed > 0) parts.push(this.#equal(clustering.slice(0, fixed)));
    const { name, values } = clustering[fixed] as KeyColumn;
    const from = `${name} ${pick(random, ['>', '>='])} ${pick(random, values)}`;
    const to = `${name} ${pick(random, ['<', '<='])} ${pick(random, values)}`;
    const shapes = [[from], [to], [from, to], ...(fixed > 0 ? [[]] : [])];
    return this.#delete(table, [...parts, ...pick(random, shapes)].join(' AND '));
  }

  #delete(table: TestTable, where: string): string {
    return `DELETE FROM ${table.name}${this.#using(false)} WHERE ${where}`;
  }

  /** A column to change, with the key that it needs. */
  #target(
    table: TestTable,
    fits: (column: ValueColumn) => boolean,
  ): { readonly column: ValueColumn; readonly where: string; readonly isStatic: boolean } {
    const column = pick(this.#random, table.columns.filter(fits));
    const { isStatic } = column;
    const where = isStatic ? this.#equal(table.partition) : this.#rowKey(table);
    return { column, where, isStatic };
  }

  #rowKey({ partition, clustering }: TestTable): string {
    return this.#equal([...partition, ...clustering]);
  }

  #equal(keys: readonly KeyColumn[]): string {
    return keys.map(({ name, values }) => `${name} = ${pick(this.#random, values)}`).join(' AND ');
  }

  #value(type: ValueType): string {
    return this.#random.below(9) === 0 ? 'null' : type.literal(this.#random);
  }

  /** Timestamps are few, whole seconds near now and a little: many are equal or out of order. */
  #using(hasTtl: boolean): string {
    const random = this.#random;
    const parts: string[] = [];
    if (random.below(3) > 0) {
      const seconds = Math.floor(Date.now() / 1000) + random.below(3) - 1;
      parts.push(`TIMESTAMP ${seconds * 1_000_000 + random.below(4)}`);
    }
    const kind = hasTtl ? random.below(10) : 9;
    if (kind < 2) parts.push(`TTL ${longTtlSeconds + random.below(3) * 1000}`);
    else if (kind === 2) parts.push(`TTL ${1 + random.below(shortTtlSeconds)}`);
    else if (kind === 3) parts.push('TTL 0');
    return parts.length > 0 ? ` USING ${parts.join(' AND ')}` : '';
  }
}
