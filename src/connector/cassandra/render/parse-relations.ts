// Reads what comes after WHERE: `k = 5 AND c >= 'a' AND c < 'b'`, `k IN (1, 2)`; and keys as JSON objects. Which
// columns there are, and what their types take, is for key-ranges.ts.
import { CodrError } from '../../../base/error.ts';
import { jsonLiteral, type Literal } from './literal.ts';

export type RelationOperator = '=' | 'IN' | '<' | '<=' | '>' | '>=';

export interface Relation {
  readonly column: string;
  readonly operator: RelationOperator;
  /** One, or several of `IN`. */
  readonly values: readonly Literal[];
}

/** Upper bound of the nesting of collections. */
const depthMax = 32;
const remedy =
  "write k = 5, k IN (1, 2) or k = 5 AND c >= 'a' AND c < 'b', of columns of the primary key";

/** `object` is what messages name: the table. Errors: `usage`. */
export function parseRelations(object: string, text: string): Relation[] {
  return new RelationParser(object, text).relations();
}

/** A key as a JSON object. Errors: `usage`. */
export function parseJsonKey(object: string, text: string): Relation[] {
  try {
    const literal = jsonLiteral(text);
    if (literal.kind !== 'entries') throw new SyntaxError('no object');
    return literal.entries.map(([name, value]) => ({
      column: 'text' in name ? name.text : '',
      operator: '=',
      values: [value],
    }));
  } catch (error) {
    throw new CodrError('usage', `${object}: ${text} is no JSON object`, {
      object,
      cause: error,
      remedy: 'write the primary key as {"k": 1, "c": "x"}, or as k = 1 AND c = \'x\'',
    });
  }
}

interface Token {
  readonly kind: 'string' | 'name' | 'blob' | 'uuid' | 'number' | 'word' | 'sign' | 'end';
  readonly text: string;
}

/** In the order in which they are tried: a UUID may begin as a number does. */
const tokens: readonly (readonly [Token['kind'], RegExp])[] = [
  ['string', /'(?:[^']|'')*'/y],
  ['name', /"(?:[^"]|"")+"/y],
  ['blob', /0x[0-9a-f]*/iy],
  ['uuid', /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/iy],
  ['number', /-?\d+(?:\.\d*)?(?:e[+-]?\d+)?/iy],
  ['word', /-?[a-z_]\w*/iy],
  ['sign', /<=|>=|!=|[=<>()[\]{},:]/y],
];

/** Recursive descent: one method for each rule. */
class RelationParser {
  readonly #object: string;
  readonly #text: string;
  #at = 0;
  #token: Token;

  constructor(object: string, text: string) {
    this.#object = object;
    this.#text = text;
    this.#token = this.#read();
  }

  relations(): Relation[] {
    const found = [this.#relation()];
    while (this.#isWord('AND')) {
      this.#next();
      found.push(this.#relation());
    }
    if (this.#token.kind !== 'end') throw this.#unexpected('AND, or the end');
    return found;
  }

  #relation(): Relation {
    if (this.#isSign('(')) {
      throw this.#fail('relations of several columns at once are not read: name them one by one');
    }
    const column = this.#column();
    if (this.#isWord('IN')) {
      this.#next();
      return { column, operator: 'IN', values: this.#list('(', ')', () => this.#term(0)) };
    }
    const { kind, text } = this.#token;
    const operator = operators.find((one) => one === text);
    if (kind !== 'sign' || !operator) throw this.#unexpected('=, <, <=, >, >= or IN');
    this.#next();
    return { column, operator, values: [this.#term(0)] };
  }

  /** Names without quotes are small letters. */
  #column(): string {
    const { kind, text } = this.#token;
    if (kind !== 'name' && (kind !== 'word' || text.startsWith('-'))) {
      throw this.#unexpected('the name of a column');
    }
    this.#next();
    return kind === 'name' ? text.slice(1, -1).replaceAll('""', '"') : text.toLowerCase();
  }

  #term(depth: number): Literal {
    if (depth > depthMax) throw this.#fail(`more than ${depthMax} brackets within one another`);
    const { kind, text } = this.#token;
    const item = (): Literal => this.#term(depth + 1);
    if (this.#isSign('[')) return { kind: 'items', items: this.#list('[', ']', item) };
    if (this.#isSign('(')) return { kind: 'items', items: this.#list('(', ')', item) };
    if (this.#isSign('{')) return this.#braces(item);
    if (kind === 'sign' || kind === 'end' || kind === 'name') throw this.#unexpected('a value');
    this.#next();
    if (kind === 'string') {
      return { kind: 'string', text: text.slice(1, -1).replaceAll("''", "'") };
    }
    if (kind === 'number' || kind === 'blob') return { kind, text };
    return text.toLowerCase() === 'null' ? { kind: 'null' } : { kind: 'word', text };
  }

  /** A set, a map, or a value of a user type; `{}` may be any of them. */
  #braces(item: () => Literal): Literal {
    const pairs: [Literal, Literal][] = [];
    const items = this.#list('{', '}', () => {
      const first = this.#token.kind === 'name' ? this.#name() : item();
      if (!this.#isSign(':')) return first;
      this.#next();
      pairs.push([first, item()]);
      return first;
    });
    if (pairs.length === 0 && items.length > 0) return { kind: 'items', items };
    if (pairs.length < items.length) throw this.#fail('a key without a value within {}');
    return { kind: 'entries', entries: pairs };
  }

  #name(): Literal {
    return { kind: 'word', text: this.#column() };
  }

  #list<T>(open: string, close: string, item: () => T): T[] {
    this.#expect(open);
    const items: T[] = [];
    while (!this.#isSign(close)) {
      if (items.length > 0) this.#expect(',');
      items.push(item());
    }
    this.#next();
    return items;
  }

  #expect(sign: string): void {
    if (!this.#isSign(sign)) throw this.#unexpected(sign);
    this.#next();
  }

  #isSign(sign: string): boolean {
    return this.#token.kind === 'sign' && this.#token.text === sign;
  }

  #isWord(word: string): boolean {
    return this.#token.kind === 'word' && this.#token.text.toUpperCase() === word;
  }

  #next(): void {
    this.#token = this.#read();
  }

  #read(): Token {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
    if (this.#at >= this.#text.length) return { kind: 'end', text: '' };
    for (const [kind, pattern] of tokens) {
      pattern.lastIndex = this.#at;
      const text = pattern.exec(this.#text)?.[0];
      if (text === undefined) continue;
      this.#at += text.length;
      return { kind, text };
    }
    throw this.#fail(`"${this.#text.slice(this.#at, this.#at + 20)}" is no CQL`);
  }

  #unexpected(wanted: string): CodrError {
    const { kind, text } = this.#token;
    return this.#fail(`${wanted} expected, not ${kind === 'end' ? 'the end' : text}`);
  }

  #fail(what: string): CodrError {
    const message = `${this.#object}: ${what} (in "${this.#text}")`;
    return new CodrError('usage', message, { object: this.#object, remedy });
  }
}

const operators = ['=', '<', '<=', '>', '>='] as const;
