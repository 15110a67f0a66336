// Statements of DESCRIBE … WITH INTERNALS, made fit for another cluster: other names of keyspaces and tables,
// without ids, options that the target's version refuses, and columns that were dropped. Statements are taken
// apart into tokens: what stands in strings and function bodies is never touched.
import { quoted } from '../schema/read-schema.ts';

/** The new place of an object of the source's keyspace: its keyspace and its name, without quotes. */
export type Placing = (name: string) => { readonly keyspace: string; readonly name: string };

interface Token {
  readonly text: string;
  /** As Cassandra knows it; undefined for what is no name. */
  readonly name?: string;
  /** A name without quotes: it may be a keyword. */
  readonly word?: string;
  readonly isSpace: boolean;
}

const tokenPattern =
  /\s+|--[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/|\$\$[\s\S]*?\$\$|'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z_]\w*|\d[\w.]*|[\s\S]/g;

/** Every `keyspace.name` of the statement as `place` says. */
export function replaced(statement: string, keyspace: string, place: Placing): string {
  const tokens = tokensOf(statement);
  const parts: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    const object = tokens[i + 2]?.name;
    const isQualified =
      token.name === keyspace && tokens[i + 1]?.text === '.' && tokens[i - 1]?.text !== '.';
    if (!isQualified || object === undefined) {
      parts.push(token.text);
      continue;
    }
    const there = place(object);
    parts.push(`${quoted(there.keyspace)}.${quoted(there.name)}`);
    i += 2;
  }
  return parts.join('');
}

/** The single statements of a text, without the semicolons. */
export function statementsOf(text: string): string[] {
  return splitAt(tokensOf(text), ({ text: one }) => one === ';')
    .map((tokens) => textOf(tokens))
    .filter((statement) => tokensOf(statement).some(({ name }) => name !== undefined));
}

/** What DESCRIBE calls the type of a hidden column that COMPACT STORAGE left; statements know its class only. */
const emptyType = /^(\s*(?:"(?:[^"]|"")*"|\w+)\s+)empty(?=\s|$)/;
const emptyClass = 'org.apache.cassandra.db.marshal.EmptyType';

/**
 * CREATE TABLE with the live columns alone. A column that was dropped and added again stands as it was dropped in
 * the first statement, and as it is in a later ALTER TABLE … ADD.
 */
export function liveTable(
  text: string,
  columns: ReadonlySet<string>,
  refused: ReadonlySet<string>,
): string {
  const [create = '', ...alters] = statementsOf(text);
  const again = new Map(alters.flatMap((statement) => addedColumn(statement) ?? []));
  const tokens = tokensOf(create);
  const open = tokens.findIndex((token) => token.text === '(');
  const close = closing(tokens, open);
  const definitions: string[] = [];
  for (const part of splitAt(tokens.slice(open + 1, close), ({ text: one }) => one === ',')) {
    const [first] = part.filter(({ isSpace }) => !isSpace);
    if (first?.word === 'primary') definitions.push(textOf(part));
    else if (first?.name !== undefined && columns.has(first.name) && !again.has(first.name)) {
      definitions.push(textOf(part).replace(emptyType, `$1'${emptyClass}'`));
    }
  }
  // Before the primary key's own clause, though any place is right.
  definitions.unshift(...[...again].filter(([name]) => columns.has(name)).map(([, one]) => one));
  const head = textOf(tokens.slice(0, open));
  const tail = `)${tokens
    .slice(close + 1)
    .map(({ text: one }) => one)
    .join('')}`;
  return withoutOptions(`${head} (\n    ${definitions.join(',\n    ')}\n${tail}`, refused);
}

/** The statement without its options of these names; an id is never kept. */
export function withoutOptions(statement: string, refused: ReadonlySet<string>): string {
  const tokens = tokensOf(statement);
  const depths = depthsOf(tokens);
  const at = tokens.findLastIndex(({ word }, i) => word === 'with' && depths[i] === 0);
  if (at < 0) return statement.trim();
  const kept = splitAt(tokens.slice(at + 1), ({ word }) => word === 'and')
    .filter((option) => {
      const [first, second] = option.filter(({ isSpace }) => !isSpace);
      const name = first?.word ?? '';
      return !refused.has(name) && !(name === 'id' && second?.text === '=');
    })
    .map(textOf);
  const head = textOf(tokens.slice(0, at));
  return kept.length === 0 ? head : `${head} WITH ${kept.join('\n    AND ')}`;
}

/** The name that CREATE INDEX or CREATE MATERIALIZED VIEW gives. */
export function createdName(statement: string): string {
  const tokens = tokensOf(statement).filter(({ isSpace }) => !isSpace);
  const at = tokens.findIndex(({ word }) => word === 'index' || word === 'view' || word === 'type');
  const skip = tokens[at + 1]?.word === 'if' ? 3 : 0;
  const first = tokens[at + 1 + skip];
  const isQualified = tokens[at + 2 + skip]?.text === '.';
  return (isQualified ? tokens[at + 3 + skip]?.name : first?.name) ?? '';
}

/**
 * What CREATE MATERIALIZED VIEW says of rows, columns and their order: equal for statements that make the same view, however
 * they are set and quoted and name its columns in turn, whatever options it has.
 */
export function viewMeaning(statement: string): string {
  const tokens = tokensOf(statement).filter(({ isSpace, text }) => !isSpace && text !== ';');
  const depths = depthsOf(tokens);
  const at = tokens.findLastIndex(({ word }, i) => word === 'with' && depths[i] === 0);
  const options = at < 0 ? [] : splitAt(tokens.slice(at + 1), ({ word }) => word === 'and');
  const order = options.find(([first]) => first?.word === 'clustering') ?? [];
  const head = at < 0 ? tokens : tokens.slice(0, at);
  const select = head.findIndex(({ word }) => word === 'select');
  const from = head.findIndex(({ word }, i) => i > select && word === 'from');
  const plain = (some: readonly Token[]): string =>
    some.map(({ name, text }) => name ?? text).join(' ');
  const columns = splitAt(head.slice(select + 1, from), ({ text }) => text === ',').map(plain);
  const [made, rest] = [head.slice(0, select), [...head.slice(from), ...order]];
  return `${plain(made)} select ${columns.sort().join(', ')} ${plain(rest)}`;
}

/** A function or an aggregate as CREATE says it; two of one signature cannot stand beside each other. */
export interface NamedFunction {
  readonly kind: 'function' | 'aggregate';
  /** Name and types of the arguments. */
  readonly signature: string;
  /** Equal for statements that make the same, however they are set and quoted. */
  readonly text: string;
}

export function functionOf(statement: string): NamedFunction {
  const tokens = tokensOf(statement).filter(({ isSpace, text }) => !isSpace && text !== ';');
  const at = tokens.findIndex(({ word }) => word === 'function' || word === 'aggregate');
  const open = tokens.findIndex(({ text }) => text === '(');
  const close = closing(tokens, open);
  const kind = tokens[at]?.word === 'function' ? 'function' : 'aggregate';
  const plain = (some: readonly Token[]): string =>
    some.map(({ name, text }) => name ?? unquotedText(text)).join(' ');
  const named = splitAt(tokens.slice(open + 1, close), ({ text }) => text === ',');
  // Of a function each argument has a name, which does not tell it from others.
  const types = named.map((one) => plain(kind === 'function' ? one.slice(1) : one));
  const signature = `${tokens[open - 1]?.name ?? ''}(${types.join(', ')})`;
  return { kind, signature, text: `${signature} ${plain(tokens.slice(open))}` };
}

/** A body stands between dollars or quotes. */
function unquotedText(text: string): string {
  if (text.length >= 4 && text.startsWith('$$')) return text.slice(2, -2);
  return text.length >= 2 && text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text;
}

/** CREATE INDEX under another name. */
export function namedIndex(statement: string, name: string): string {
  const tokens = tokensOf(statement);
  const at = tokens.findIndex(({ word }) => word === 'index');
  const own = tokens.findIndex((token, i) => i > at && token.name !== undefined);
  return tokens.map((token, i) => (i === own ? quoted(name) : token.text)).join('');
}

/** Name and definition of the column that ALTER TABLE adds. */
function addedColumn(statement: string): [string, string][] | undefined {
  const tokens = tokensOf(statement);
  const at = tokens.findIndex(({ word }) => word === 'add');
  const rest = at < 0 ? [] : tokens.slice(at + 1);
  const name = rest.find((token) => !token.isSpace)?.name;
  return name === undefined ? undefined : [[name, textOf(rest)]];
}

function tokensOf(text: string): Token[] {
  return (text.match(tokenPattern) ?? []).map((one): Token => {
    const isSpace = /^(\s|--|\/\/|\/\*)/.test(one);
    if (one.length > 1 && one.startsWith('"')) {
      return { text: one, name: one.slice(1, -1).replaceAll('""', '"'), isSpace };
    }
    if (!/^[A-Za-z_]/.test(one)) return { text: one, isSpace };
    return { text: one, name: one.toLowerCase(), word: one.toLowerCase(), isSpace };
  });
}

/** Pieces between separators that stand outside of all brackets. */
function splitAt(tokens: readonly Token[], separates: (token: Token) => boolean): Token[][] {
  const depths = depthsOf(tokens);
  const pieces: Token[][] = [[]];
  tokens.forEach((token, i) => {
    if (depths[i] === 0 && separates(token)) pieces.push([]);
    else pieces.at(-1)?.push(token);
  });
  return pieces;
}

const withParameters = /^(frozen|list|map|set|tuple|vector)$/;

/** How many brackets enclose each token; `<` is one behind the name of a type alone, else it compares. */
function depthsOf(tokens: readonly Token[]): number[] {
  const open: string[] = [];
  return tokens.map(({ text }, i) => {
    if (/^[([{]$/.test(text)) return open.push(text) - 1;
    if (text === '<' && withParameters.test(tokens[i - 1]?.word ?? '')) return open.push(text) - 1;
    if (/^[)\]}]$/.test(text) || (text === '>' && open.at(-1) === '<')) open.pop();
    return open.length;
  });
}

function closing(tokens: readonly Token[], open: number): number {
  const depths = depthsOf(tokens);
  return tokens.findIndex((token, i) => i > open && token.text === ')' && depths[i] === 0);
}

const textOf = (tokens: readonly Token[]): string =>
  tokens
    .map(({ text }) => text)
    .join('')
    .trim();
