// What is wrong with a value of a configuration, in our words. The checker's own speak of types of the language.
// Values themselves are left out: one of them may be a secret in the wrong place.

/** The fields of a checker's finding that are looked at. */
export interface Issue {
  readonly code?: string | undefined;
  readonly message: string;
  readonly path: readonly PropertyKey[];
  readonly expected?: unknown;
  readonly keys?: readonly string[];
  readonly values?: readonly unknown[];
  readonly minimum?: number | bigint;
  readonly maximum?: number | bigint;
  readonly origin?: string;
}

const kinds: ReadonlyMap<unknown, string> = new Map([
  ['string', 'a text'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'a group of fields'],
  ['record', 'a group of fields'],
]);

/** `field: what is wrong with it`, from the outermost field on. */
export function issueWords(issue: Issue | undefined): string {
  const path = (issue?.path ?? []).map(String);
  const place = path.join('.') || 'the file';
  if (!issue) return `${place}: not valid`;
  if (issue.code === 'unrecognized_keys') {
    return `${[...path, issue.keys?.[0] ?? ''].join('.')}: not a known field`;
  }
  return `${place}: ${faultOf(issue)}`;
}

function faultOf({ code, message, expected, values, minimum, maximum, origin }: Issue): string {
  const isOwn = !/^(Invalid|Too )/.test(message);
  if (isOwn) return message;
  if (code === 'invalid_type' && /received undefined$/.test(message)) return 'missing';
  const kind = kinds.get(expected);
  if (code === 'invalid_type' && kind !== undefined) return `not ${kind}`;
  if (code === 'invalid_value' && values) return `none of ${values.join(', ')}`;
  const isNumber = origin === 'number' || origin === 'int';
  if (code === 'too_small') return isNumber ? `less than ${minimum}` : 'empty';
  if (code === 'too_big' && isNumber) return `more than ${maximum}`;
  return message;
}
