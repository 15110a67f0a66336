// What a user writes for a value, before its type is known: CQL terms, or JSON. Numbers stay text, so that none
// loses digits.

export type Literal =
  | { readonly kind: 'null' }
  /** `word`: true, false, NaN, a UUID, an identifier. */
  | { readonly kind: 'number' | 'string' | 'word' | 'blob'; readonly text: string }
  /** In brackets: `[…]` a list, `{…}` a set, `(…)` a tuple; of JSON always a list. */
  | { readonly kind: 'items'; readonly items: readonly Literal[] }
  | { readonly kind: 'entries'; readonly entries: readonly (readonly [Literal, Literal])[] };

/** Reads JSON. @throws SyntaxError for what is none. */
export function jsonLiteral(text: string): Literal {
  return literalOf(JSON.parse(text, keepDigits));
}

/** A number as it was written. */
class Digits {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function keepDigits(this: unknown, ...[, value, context]: [string, unknown, unknown?]): unknown {
  if (typeof value !== 'number') return value;
  return new Digits((context as { readonly source: string }).source);
}

function literalOf(value: unknown): Literal {
  if (value === null) return { kind: 'null' };
  if (value instanceof Digits) return { kind: 'number', text: value.text };
  if (typeof value === 'boolean') return { kind: 'word', text: String(value) };
  if (typeof value === 'string') return { kind: 'string', text: value };
  if (Array.isArray(value)) return { kind: 'items', items: value.map(literalOf) };
  const entries = Object.entries(value as object).map(
    ([name, held]) => [{ kind: 'string', text: name }, literalOf(held)] as const,
  );
  return { kind: 'entries', entries };
}

/** For messages. */
export function literalText(literal: Literal): string {
  switch (literal.kind) {
    case 'null':
      return 'null';
    case 'string':
      return `'${literal.text.replaceAll("'", "''")}'`;
    case 'items':
      return `[${literal.items.map(literalText).join(', ')}]`;
    case 'entries':
      return `{${literal.entries.map((pair) => pair.map(literalText).join(': ')).join(', ')}}`;
    default:
      return literal.text;
  }
}
