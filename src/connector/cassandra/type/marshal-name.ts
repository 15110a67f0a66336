// The Java class names by which SSTable headers and old schemas name types, read into trees and printed again.
//
// Cassandra prints FrozenType only round the outermost frozen collection or user type; what is inside a frozen
// one is frozen without a word (`toString(ignoreFreezing)` of db/marshal/*Type.java). Tuples are never wrapped.
// Printing what was read gives the same text, byte for byte.
import { CodrError } from '../../../base/error.ts';
import type { CassandraType, ScalarName } from './cassandra-type.ts';

const packageName = 'org.apache.cassandra.db.marshal.';

/** Class of each scalar, without its package. */
const scalarClasses: Readonly<Record<ScalarName, string>> = {
  ascii: 'AsciiType',
  bigint: 'LongType',
  blob: 'BytesType',
  boolean: 'BooleanType',
  counter: 'CounterColumnType',
  date: 'SimpleDateType',
  decimal: 'DecimalType',
  double: 'DoubleType',
  duration: 'DurationType',
  empty: 'EmptyType',
  float: 'FloatType',
  inet: 'InetAddressType',
  int: 'Int32Type',
  smallint: 'ShortType',
  text: 'UTF8Type',
  time: 'TimeType',
  timestamp: 'TimestampType',
  timeuuid: 'TimeUUIDType',
  tinyint: 'ByteType',
  uuid: 'UUIDType',
  varint: 'IntegerType',
};
const scalarNames = new Map(
  Object.entries(scalarClasses).map(([name, javaClass]) => [javaClass, name as ScalarName]),
);

/** Nested deeper than this is no type that a server could have made. */
const depthMax = 64;

/**
 * The tree of a class name with its parameters. The package may be left out.
 * @throws CodrError `source-unfit`, which names the type, for custom types and malformed text.
 */
export function parseMarshal(text: string): CassandraType {
  const parser = new MarshalParser(text);
  const type = parser.type(false, 0);
  parser.end();
  return type;
}

/** As Cassandra prints it. `keyspace`, where given, takes the place of the keyspaces of user types. */
export function marshalName(type: CassandraType, options: { keyspace?: string } = {}): string {
  return printed(type, false, options.keyspace);
}

/** `inside`: within a frozen type, where nothing more is said about freezing. */
function printed(type: CassandraType, inside: boolean, keyspace: string | undefined): string {
  const child = (each: CassandraType, within: boolean) => printed(each, within, keyspace);
  switch (type.kind) {
    case 'scalar':
      return packageName + scalarClasses[type.name];
    case 'list':
    case 'set': {
      const name = type.kind === 'list' ? 'ListType' : 'SetType';
      return frozen(type.frozen, inside, `${name}(${child(type.element, inside || type.frozen)})`);
    }
    case 'map': {
      const within = inside || type.frozen;
      const both = `${child(type.key, within)},${child(type.value, within)}`;
      return frozen(type.frozen, inside, `MapType(${both})`);
    }
    case 'udt': {
      const within = inside || type.frozen;
      const fields = type.fields.map((each) => `,${hex(each.name)}:${child(each.type, within)}`);
      const head = `${keyspace ?? type.keyspace},${hex(type.name)}`;
      return frozen(type.frozen, inside, `UserType(${head}${fields.join('')})`);
    }
    case 'tuple':
      return `${packageName}TupleType(${type.fields.map((each) => child(each, true)).join(',')})`;
    case 'vector':
      return `${packageName}VectorType(${child(type.element, inside)} , ${type.dimension})`;
    case 'reversed':
      return `${packageName}ReversedType(${child(type.type, false)})`;
    case 'composite': {
      const parts = type.components.map((each) => child(each, false));
      return `${packageName}CompositeType(${parts.join(',')})`;
    }
  }
}

function frozen(isFrozen: boolean, inside: boolean, text: string): string {
  const full = packageName + text;
  return isFrozen && !inside ? `${packageName}FrozenType(${full})` : full;
}

function hex(name: string): string {
  return Buffer.from(name, 'utf8').toString('hex');
}

class MarshalParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** `nested`: inside another type, where every collection and user type is frozen, said or not. */
  type(nested: boolean, depth: number): CassandraType {
    if (depth > depthMax) throw this.#malformed('it is nested too deep');
    this.#blank();
    const name = this.#word();
    const short = name.startsWith(packageName) ? name.slice(packageName.length) : name;
    const scalar = scalarNames.get(short);
    if (scalar !== undefined) return { kind: 'scalar', name: scalar };
    return this.#parameterized(short, name, nested, depth + 1);
  }

  end(): void {
    this.#blank();
    if (this.#at < this.#text.length) throw this.#malformed('more follows the type');
  }

  #parameterized(short: string, name: string, nested: boolean, depth: number): CassandraType {
    switch (short) {
      case 'FrozenType':
        return this.#one((): CassandraType => this.type(true, depth));
      case 'ReversedType':
        return { kind: 'reversed', type: this.#one(() => this.type(false, depth)) };
      case 'ListType':
      case 'SetType': {
        const element = this.#one(() => this.type(true, depth));
        return { kind: short === 'ListType' ? 'list' : 'set', element, frozen: nested };
      }
      case 'MapType': {
        const [key, value, ...more] = this.#list(true, depth);
        if (!key || !value || more.length > 0) throw this.#malformed('a map has two parameters');
        return { kind: 'map', key, value, frozen: nested };
      }
      case 'TupleType':
        return { kind: 'tuple', fields: this.#list(true, depth) };
      case 'CompositeType':
        return { kind: 'composite', components: this.#list(true, depth) };
      case 'VectorType':
        return this.#vector(depth);
      case 'UserType':
        return this.#userType(nested, depth);
      default:
        throw new CodrError('source-unfit', `type "${name}" is not one that CODR knows`, {
          object: name || this.#text,
          remedy: 'leave the table out of the backup: its columns have a custom type',
        });
    }
  }

  #one(read: () => CassandraType): CassandraType {
    this.#take('(');
    const type = read();
    this.#take(')');
    return type;
  }

  #list(nested: boolean, depth: number): CassandraType[] {
    const types: CassandraType[] = [];
    this.#take('(');
    do types.push(this.type(nested, depth));
    while (this.#has(','));
    this.#take(')');
    return types;
  }

  #vector(depth: number): CassandraType {
    this.#take('(');
    const element = this.type(true, depth);
    this.#take(',');
    this.#blank();
    const dimension = Number(this.#word());
    this.#take(')');
    if (!Number.isInteger(dimension) || dimension < 1) throw this.#malformed('no dimension');
    return { kind: 'vector', element, dimension };
  }

  #userType(nested: boolean, depth: number): CassandraType {
    this.#take('(');
    this.#blank();
    const keyspace = this.#word();
    this.#take(',');
    const name = this.#hexWord();
    const fields: { name: string; type: CassandraType }[] = [];
    while (this.#has(',')) {
      const field = this.#hexWord();
      this.#take(':');
      fields.push({ name: field, type: this.type(true, depth) });
    }
    this.#take(')');
    return { kind: 'udt', keyspace, name, fields, frozen: nested };
  }

  #hexWord(): string {
    this.#blank();
    const word = this.#word();
    if (!/^([0-9a-f]{2})*$/.test(word)) throw this.#malformed(`"${word}" is no hexadecimal name`);
    return Buffer.from(word, 'hex').toString('utf8');
  }

  /** What TypeParser calls an identifier, from here on; it may be empty. */
  #word(): string {
    const pattern = /[0-9A-Za-z+._&-]*/y;
    pattern.lastIndex = this.#at;
    const word = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += word.length;
    return word;
  }

  #blank(): void {
    while (' \t\n'.includes(this.#text[this.#at] ?? 'end')) this.#at++;
  }

  #has(mark: string): boolean {
    this.#blank();
    if (this.#text[this.#at] !== mark) return false;
    this.#at++;
    return true;
  }

  #take(mark: string): void {
    if (!this.#has(mark)) throw this.#malformed(`"${mark}" is missing`);
  }

  #malformed(why: string): CodrError {
    const where = `at character ${this.#at} of "${this.#text}"`;
    return new CodrError('source-unfit', `malformed type: ${why} ${where}`, { object: this.#text });
  }
}
