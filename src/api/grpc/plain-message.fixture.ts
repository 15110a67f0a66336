// Made-up plain objects for any message, read from its descriptor: for property tests of the wire.
import fc from 'fast-check';
import { assert } from '../../base/assert.ts';
import { typeNamed } from './protos.ts';

interface Field {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

const text = fc.string({ unit: 'grapheme', maxLength: 12 });

/** Objects as the API has them. Of alternatives exactly one is there, of optional fields any. */
export function plainMessage(name: string): fc.Arbitrary<object> {
  const scope = name.slice(0, name.lastIndexOf('.'));
  const { field: fields, oneofDecl } = descriptor<{
    readonly field: readonly Field[];
    readonly oneofDecl: readonly { readonly name: string }[];
  }>(name);
  const isOptional = (field: Field): boolean =>
    oneofDecl.some((group) => group.name === `_${field.name}`);
  const hasAlternatives = oneofDecl.some((group) => !group.name.startsWith('_'));
  const isAlternative = (field: Field): boolean =>
    hasAlternatives && field.type === 'TYPE_MESSAGE' && !isOptional(field);
  const fixed = fields.filter((field) => !isAlternative(field));
  const arbitraries = Object.fromEntries(
    fixed.map((field) => [field.name, fieldValue(field, scope)]),
  );
  const requiredKeys = fixed.filter((field) => !isOptional(field)).map((field) => field.name);
  const [only] = fields;
  if (fields.length === 1 && only?.name === 'items' && only.label === 'LABEL_REPEATED') {
    return fieldValue(only, scope) as fc.Arbitrary<object>;
  }
  const record = fc.record(arbitraries, { requiredKeys, noNullPrototype: true });
  const alternatives = fields.filter(isAlternative);
  if (alternatives.length === 0) return record;
  const chosen = fc.oneof(
    ...alternatives.map((field) =>
      fieldValue(field, scope).map((value) => ({ [field.name]: value })),
    ),
  );
  return fc.tuple(record, chosen).map(([a, b]) => ({ ...a, ...b }));
}

/** Names of all messages of `codr.v1` that stand for objects of the API. */
export function messageNames(names: readonly string[]): string[] {
  return names.filter((name) => !/\.(RichStatus|StringList|RecordVersionList)$/.test(name));
}

function fieldValue(field: Field, scope: string): fc.Arbitrary<unknown> {
  const one = singleValue(field, scope);
  return field.label === 'LABEL_REPEATED' ? fc.array(one, { maxLength: 3 }) : one;
}

function singleValue({ type, typeName }: Field, scope: string): fc.Arbitrary<unknown> {
  switch (type) {
    case 'TYPE_STRING':
      return text;
    case 'TYPE_BOOL':
      return fc.boolean();
    case 'TYPE_INT64':
      return fc.maxSafeInteger();
    case 'TYPE_INT32':
      return fc.integer();
    case 'TYPE_DOUBLE':
      // JSON has neither a negative zero nor infinities.
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => (x === 0 ? 0 : x));
    case 'TYPE_BYTES':
      return fc.uint8Array({ maxLength: 40 });
    case 'TYPE_ENUM':
      return fc.constantFrom(...wordsOf(`${scope}.${typeName}`));
    default:
      return plainMessage(`${scope}.${typeName}`);
  }
}

/** `CUT_GRADE_QUORUM_SAFE` → `quorum-safe`; the one that says nothing is left out. */
function wordsOf(name: string): string[] {
  const { value } = descriptor<{ readonly value: readonly { readonly name: string }[] }>(name);
  const [unspecified, ...rest] = value.map((one) => one.name);
  const prefix = (unspecified ?? '').replace(/UNSPECIFIED$/, '');
  return rest.map((one) => one.replace(prefix, '').toLowerCase().replaceAll('_', '-'));
}

function descriptor<T>(name: string): T {
  const found = typeNamed(name, '');
  assert(found, `${name} is there`);
  return found.type as T;
}
