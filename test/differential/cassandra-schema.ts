// Random tables: keys of any types and directions, statics, collections, user types, options; one
// table of counters. The key values of a table are drawn from few, so that writes and deletions
// meet.
import type { Random } from '../../src/base/random.ts';
import {
  type ComplexType,
  cellType,
  complexType,
  keyType,
  pick,
  type UdtField,
  udtFields,
  udtName,
  type ValueType,
} from './cassandra-types.ts';

export interface KeyColumn {
  readonly name: string;
  readonly type: ValueType;
  /** The literals that are used. */
  readonly values: readonly string[];
  readonly isDescending: boolean;
}

export interface ValueColumn {
  readonly name: string;
  readonly type: ValueType | ComplexType;
  readonly isStatic: boolean;
}

export interface TestTable {
  /** With the keyspace. */
  readonly name: string;
  readonly isCounter: boolean;
  readonly partition: readonly KeyColumn[];
  readonly clustering: readonly KeyColumn[];
  /** Changed by schema changes of the run. */
  columns: readonly ValueColumn[];
  readonly options: readonly string[];
}

const tableCount = 3;
const counter: ValueType = { cql: 'counter', literal: (r) => `${r.below(20) - 5}` };

export class TestSchema {
  readonly keyspace: string;
  readonly tables: readonly TestTable[];
  readonly #udt: readonly UdtField[];

  constructor(keyspace: string, random: Random) {
    this.keyspace = keyspace;
    this.#udt = udtFields(random);
    const plain = Array.from({ length: tableCount }, (_, i) => this.#table(i, random));
    this.tables = [...plain, this.#counters(random)];
  }

  /** Statements that make it all, for one data centre of `replicas` nodes. */
  *statements(replicas: number): Generator<string> {
    const { keyspace } = this;
    const replication = `{'class': 'NetworkTopologyStrategy', 'dc1': ${replicas}}`;
    yield `CREATE KEYSPACE ${keyspace} WITH replication = ${replication}`;
    const fields = this.#udt.map(({ name, type }) => `${name} ${type.cql}`);
    yield `CREATE TYPE ${keyspace}.${udtName} (${fields.join(', ')})`;
    for (const table of this.tables) yield createTable(table);
  }

  /** A column that no table has yet. */
  newColumn(random: Random): ValueColumn {
    return { name: 'added', type: cellType(random, this.#udt), isStatic: false };
  }

  #table(index: number, random: Random): TestTable {
    const clustering = Array.from({ length: random.below(4) }, (_, i) =>
      this.#keyColumn(`c${i}`, 4, random),
    );
    const columns: ValueColumn[] = [];
    const add = (name: string, isStatic: boolean, isComplex: boolean): void => {
      const type = isComplex ? complexType(random, this.#udt) : cellType(random, this.#udt);
      columns.push({ name, type, isStatic });
    };
    for (let i = 1 + random.below(3); i >= 0; i--) add(`v${i}`, false, false);
    for (let i = random.below(3); i >= 0; i--) add(`m${i}`, false, true);
    if (clustering.length > 0) {
      for (let i = random.below(3); i > 0; i--) add(`s${i}`, true, i === 2);
    }
    return {
      name: `${this.keyspace}.t${index}`,
      isCounter: false,
      partition: this.#partition(random),
      clustering,
      columns,
      options: tableOptions(random),
    };
  }

  #counters(random: Random): TestTable {
    const clustering = Array.from({ length: random.below(3) }, (_, i) =>
      this.#keyColumn(`c${i}`, 3, random),
    );
    const columns = [
      { name: 'n', type: counter, isStatic: false },
      { name: 'o', type: counter, isStatic: false },
      ...(clustering.length > 0 ? [{ name: 's', type: counter, isStatic: true }] : []),
    ];
    const name = `${this.keyspace}.counters`;
    const options: string[] = [];
    return {
      ...{ name, isCounter: true, partition: this.#partition(random), clustering },
      ...{ columns, options },
    };
  }

  #partition(random: Random): KeyColumn[] {
    const count = 1 + random.below(2);
    return Array.from({ length: count }, (_, i) => {
      const column = this.#keyColumn(`p${i}`, count === 1 ? 6 : 3, random);
      // A partition key of one column is not empty.
      const isFit = (value: string): boolean => count > 1 || (value !== "''" && value !== '0x');
      return { ...column, values: column.values.filter(isFit), isDescending: false };
    });
  }

  #keyColumn(name: string, count: number, random: Random): KeyColumn {
    const type = keyType(random, this.#udt);
    const values = new Set(Array.from({ length: 3 * count }, () => type.literal(random)));
    const isDescending = random.below(2) === 0;
    return { name, type, values: [...values].slice(0, count), isDescending };
  }
}

function tableOptions(random: Random): string[] {
  const compaction = pick(random, [
    "{'class': 'SizeTieredCompactionStrategy'}",
    "{'class': 'LeveledCompactionStrategy'}",
    "{'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'MINUTES'}",
  ]);
  const compression = pick(random, [
    "{'class': 'LZ4Compressor', 'chunk_length_in_kb': 4}",
    "{'class': 'ZstdCompressor'}",
    "{'enabled': 'false'}",
  ]);
  return [
    `compaction = ${compaction}`,
    `compression = ${compression}`,
    // Without it the reads of the run repair nothing.
    `read_repair = '${pick(random, ['BLOCKING', 'NONE'])}'`,
    ...(random.below(3) === 0 ? ['default_time_to_live = 300000'] : []),
  ];
}

function createTable({ name, partition, clustering, columns, options }: TestTable): string {
  const fields = [
    ...[...partition, ...clustering].map((column) => `${column.name} ${column.type.cql}`),
    ...columns.map((one) => `${one.name} ${one.type.cql}${one.isStatic ? ' static' : ''}`),
  ];
  const names = (keys: readonly KeyColumn[]): string[] => keys.map((key) => key.name);
  const key = [`(${names(partition).join(', ')})`, ...names(clustering)].join(', ');
  const order = clustering.map((one) => `${one.name} ${one.isDescending ? 'DESC' : 'ASC'}`);
  const all = [
    ...(order.length > 0 ? [`CLUSTERING ORDER BY (${order.join(', ')})`] : []),
    ...options,
  ];
  const tail = all.length > 0 ? ` WITH ${all.join(' AND ')}` : '';
  return `CREATE TABLE ${name} (${fields.join(', ')}, PRIMARY KEY (${key}))${tail}`;
}
