// Holds the protos to the interfaces of the API: every field is there, optional where the API
// says so, of a type that can carry it. The interfaces are read as text, since types leave no trace at run time.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { typeNamed } from './grpc/protos.ts';
import { requestDefaults } from './grpc/request-defaults.ts';

const files = ['call', 'repository-calls', 'source-calls', 'restore-calls'];

interface ApiField {
  readonly name: string;
  readonly optional: boolean;
  readonly type: string;
}

interface WireField {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

/** Where the names differ, or an inline type has a name on the wire. */
const renamed: Readonly<Record<string, string>> = { Points: 'PointList' };

const interfaces = new Map<string, readonly ApiField[]>();
const words = new Map<string, readonly string[]>();
for (const file of files) readApi(readFileSync(new URL(`./${file}.ts`, import.meta.url), 'utf8'));
// Passed beside requests, within a process.
for (const name of ['Call', 'Handover']) interfaces.delete(name);

test('the interfaces of the API are found in its files', () => {
  assert.ok(interfaces.size > 45, `${interfaces.size} interfaces`);
  assert.equal(interfaces.get('Moment')?.length, 2);
  assert.deepEqual(
    interfaces.get('PointName')?.map(({ name }) => name),
    ['time', 'wall', 'id'],
  );
});

test('each interface is a message with the same fields, and no others', () => {
  for (const [name, fields] of interfaces) {
    const expected = fields.map((field) => field.name).sort();
    assert.deepEqual(
      wireFields(name)
        .map((field) => field.name)
        .sort(),
      expected,
      name,
    );
  }
});

test('a field may be absent on the wire where it may be in the API, or has a default', () => {
  for (const [name, fields] of interfaces) {
    const defaults = Object.keys(requestDefaults[renamed[name] ?? name] ?? {});
    for (const field of fields) {
      const wire = wireFields(name).find((one) => one.name === field.name);
      const isList = wire?.label === 'LABEL_REPEATED';
      const mayBeAbsent = field.optional || defaults.includes(field.name);
      const where = `${name}.${field.name}`;
      // A list of a request that is absent means an empty one.
      if (isList && field.optional) assert.match(name, /Request$/, where);
      else assert.equal(isOptional(name, field.name), mayBeAbsent, where);
    }
  }
});

test('each field has a type on the wire that carries what the API says', () => {
  for (const [name, fields] of interfaces) {
    for (const field of fields) {
      const wire = wireFields(name).find((one) => one.name === field.name);
      assert.ok(wire);
      assert.ok(carries(wire, field.type), `${name}.${field.name}: ${field.type}`);
    }
  }
});

function carries({ label, type, typeName }: WireField, apiType: string): boolean {
  const list = /^readonly (.+)\[\]$/.exec(apiType)?.[1];
  if (list !== undefined) {
    if (label === 'LABEL_REPEATED')
      return carries({ label: '', type, typeName } as WireField, list);
    const [items] = fieldsOf(typeName);
    return items?.name === 'items' && carries({ ...items, label: '' }, list);
  }
  if (label === 'LABEL_REPEATED') return false;
  if (apiType === 'string') return type === 'TYPE_STRING';
  if (apiType === 'boolean' || apiType === 'true') return type === 'TYPE_BOOL';
  if (apiType === 'number') return type === 'TYPE_INT64' || type === 'TYPE_DOUBLE';
  const expected = words.get(apiType) ?? literals(apiType);
  if (expected) return type === 'TYPE_ENUM' && sameWords(typeName, expected);
  if (apiType.includes('{')) return type === 'TYPE_MESSAGE';
  return type === 'TYPE_MESSAGE' && typeName === (renamed[apiType] ?? apiType);
}

function sameWords(typeName: string, expected: readonly string[]): boolean {
  const { value } = descriptor<{ readonly value: readonly { readonly name: string }[] }>(typeName);
  const [unspecified, ...rest] = value.map(({ name }) => name);
  const prefix = (unspecified ?? '').replace(/UNSPECIFIED$/, '');
  const found = rest.map((one) => one.replace(prefix, '').toLowerCase().replaceAll('_', '-'));
  assert.deepEqual([...found].sort(), [...expected].sort(), typeName);
  return true;
}

/** `'a' | 'b'` → its words. */
function literals(type: string): string[] | undefined {
  const found = [...type.matchAll(/'([\w-]+)'/g)].map((match) => match[1] ?? '');
  return found.length > 1 ? found : undefined;
}

const wireFields = (name: string): readonly WireField[] => fieldsOf(renamed[name] ?? name);

const fieldsOf = (name: string): readonly WireField[] =>
  descriptor<{ readonly field: readonly WireField[] }>(name).field;

function isOptional(name: string, field: string): boolean {
  const { oneofDecl } = descriptor<{ readonly oneofDecl: readonly { readonly name: string }[] }>(
    renamed[name] ?? name,
  );
  return oneofDecl.some((group) => group.name === `_${field}`);
}

function descriptor<T>(name: string): T {
  const found = typeNamed(`codr.v1.${name}`, '');
  assert.ok(found, `${name} is on the wire`);
  return found.type as T;
}

/** Interfaces and unions of one file. Inline objects are read as fields of a message of their own. */
function readApi(text: string): void {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  for (const [, name = '', union = ''] of code.matchAll(/export type (\w+) =([^;]+);/g)) {
    const found = literals(union);
    if (found) words.set(name, found);
    else interfaces.set(name, []);
  }
  const form = /export interface (\w+)(?: extends (\w+))? \{([\s\S]*?)\n\}/g;
  for (const [, name = '', base, body = ''] of code.matchAll(form)) {
    const inherited = base === undefined ? [] : (interfaces.get(base) ?? []);
    interfaces.set(name, [...inherited, ...fieldsIn(body)]);
  }
}

function fieldsIn(body: string): ApiField[] {
  // An inline object is one type, whatever it holds.
  const flat = body.replace(/\{[^{}]*\}/g, '{}');
  return [...flat.matchAll(/readonly (\w+)(\?)?:\s*([^;]+);/g)].map(([, name, mark, type]) => ({
    name: name ?? '',
    optional: mark !== undefined,
    type: (type ?? '')
      .replace(/\s+/g, ' ')
      .replace(/^\| /, '')
      .replace(/ \| undefined$/, '')
      .trim(),
  }));
}
