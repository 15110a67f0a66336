// The names by which CQL and `system_schema` say types: `frozen<list<int>>`, `vector<float, 3>`, `"MyType"`.
//
// User types are only named there; their fields come from `system_schema.types`. What is inside another type is
// frozen whether it says so or not. Quoted text in single quotes is a Java class (type/marshal-name.ts).
import { CodrError } from '../../../base/error.ts';
import type { CassandraType, ScalarName } from './cassandra-type.ts';
import { parseMarshal } from './marshal-name.ts';

/** A row of `system_schema.types`. */
export interface UserTypeFields {
  readonly fieldNames: readonly string[];
  /** CQL texts. */
  readonly fieldTypes: readonly string[];
}

/** The fields of a user type of the keyspace, by its name without quotes. */
export type UserTypeLookup = (name: string) => UserTypeFields | undefined;

const scalars: ReadonlySet<string> = new Set<ScalarName>([
  'ascii',
  'bigint',
  'blob',
  'boolean',
  'counter',
  'date',
  'decimal',
  'double',
  'duration',
  'empty',
  'float',
  'inet',
  'int',
  'smallint',
  'text',
  'time',
  'timestamp',
  'timeuuid',
  'tinyint',
  'uuid',
  'varint',
]);
const depthMax = 64;

/**
 * The tree of a type's text in `keyspace`.
 * @throws CodrError `source-unfit`, which names the type, when it is malformed, unknown or custom.
 */
export function parseCqlType(
  text: string,
  lookup: UserTypeLookup,
  keyspace: string,
): CassandraType {
  const parser = new CqlTypeParser(text, lookup, { keyspace, depth: 0 });
  return parser.whole(false);
}

/** As `system_schema.columns` prints it; reversed columns say their own type there. */
export function cqlTypeName(type: CassandraType): string {
  switch (type.kind) {
    case 'scalar':
      return type.name;
    case 'list':
    case 'set':
      return frozenText(type.frozen, `${type.kind}<${cqlTypeName(type.element)}>`);
    case 'map':
      return frozenText(type.frozen, `map<${cqlTypeName(type.key)}, ${cqlTypeName(type.value)}>`);
    case 'tuple':
      return `frozen<tuple<${type.fields.map(cqlTypeName).join(', ')}>>`;
    case 'udt':
      return frozenText(type.frozen, quotedIfNeeded(type.name));
    case 'vector':
      return `vector<${cqlTypeName(type.element)}, ${type.dimension}>`;
    case 'reversed':
      return cqlTypeName(type.type);
    case 'composite':
      throw new CodrError('source-unfit', 'a composite type has no name in CQL');
  }
}

function frozenText(isFrozen: boolean, text: string): string {
  return isFrozen ? `frozen<${text}>` : text;
}

/** Names that are scalars' are reserved as well. */
function quotedIfNeeded(name: string): string {
  if (/^[a-z][a-z0-9_]*$/.test(name) && !scalars.has(name)) return name;
  return `"${name.replaceAll('"', '""')}"`;
}

interface Place {
  readonly keyspace: string;
  /** User types within user types. */
  readonly depth: number;
}

class CqlTypeParser {
  readonly #text: string;
  readonly #lookup: UserTypeLookup;
  readonly #place: Place;
  #at = 0;

  constructor(text: string, lookup: UserTypeLookup, place: Place) {
    this.#text = text;
    this.#lookup = lookup;
    this.#place = place;
    if (place.depth > depthMax) throw this.#malformed('user types are nested too deep');
  }

  whole(nested: boolean): CassandraType {
    const type = this.#type(nested, 0);
    this.#token(/\s*/y);
    if (this.#at < this.#text.length) throw this.#malformed('more follows the type');
    return type;
  }

  /** `nested`: inside another type, and so frozen. */
  #type(nested: boolean, depth: number): CassandraType {
    if (depth > depthMax) throw this.#malformed('it is nested too deep');
    const javaClass = this.#token(/\s*'[^']*'/y);
    if (javaClass !== undefined) return parseMarshal(javaClass.trim().slice(1, -1));
    const quoted = this.#token(/\s*"(?:[^"]|"")*"/y);
    if (quoted !== undefined) {
      return this.#userType(quoted.trim().slice(1, -1).replaceAll('""', '"'), nested);
    }
    const word = this.#token(/\s*\w+/y)
      ?.trim()
      .toLowerCase();
    if (word === undefined) throw this.#malformed('a name is missing');
    if (scalars.has(word)) return { kind: 'scalar', name: word as ScalarName };
    if (word === 'varchar') return { kind: 'scalar', name: 'text' };
    if (!this.#has('<')) return this.#userType(word, nested);
    const type = this.#parameterized(word, nested, depth + 1);
    this.#take('>');
    return type;
  }

  #parameterized(word: string, nested: boolean, depth: number): CassandraType {
    switch (word) {
      case 'frozen':
        return this.#type(true, depth);
      case 'list':
      case 'set':
        return { kind: word, element: this.#type(true, depth), frozen: nested };
      case 'map': {
        const key = this.#type(true, depth);
        this.#take(',');
        return { kind: 'map', key, value: this.#type(true, depth), frozen: nested };
      }
      case 'tuple': {
        const fields: CassandraType[] = [];
        do fields.push(this.#type(true, depth));
        while (this.#has(','));
        return { kind: 'tuple', fields };
      }
      case 'vector': {
        const element = this.#type(true, depth);
        this.#take(',');
        const dimension = Number(this.#token(/\s*\d+/y) ?? 0);
        if (dimension < 1) throw this.#malformed('a vector has no dimension');
        return { kind: 'vector', element, dimension };
      }
      default:
        throw this.#malformed(`"${word}" takes no parameters`);
    }
  }

  #userType(name: string, nested: boolean): CassandraType {
    const { keyspace, depth } = this.#place;
    const found = this.#lookup(name);
    if (!found) {
      throw new CodrError('source-unfit', `type "${name}" is not one of keyspace "${keyspace}"`, {
        object: name,
      });
    }
    const fields = found.fieldNames.map((field, i) => {
      const place = { keyspace, depth: depth + 1 };
      const parser = new CqlTypeParser(found.fieldTypes[i] ?? '', this.#lookup, place);
      return { name: field, type: parser.whole(true) };
    });
    return { kind: 'udt', keyspace, name, fields, frozen: nested };
  }

  /** The text that the sticky pattern matches here, which is then behind. */
  #token(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #has(mark: string): boolean {
    return this.#token(new RegExp(`\\s*${mark}`, 'y')) !== undefined;
  }

  #take(mark: string): void {
    if (!this.#has(mark)) throw this.#malformed(`"${mark}" is missing`);
  }

  #malformed(why: string): CodrError {
    const where = `at character ${this.#at} of "${this.#text}"`;
    return new CodrError('source-unfit', `malformed type: ${why} ${where}`, { object: this.#text });
  }
}
