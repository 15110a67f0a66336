// Between plain objects of the API and messages of proto-loader, driven by the descriptors alone:
// * counts: numbers ↔ texts of int64; enumerations: the API's words ↔ names (`quorum-safe` ↔ `CUT_GRADE_QUORUM_SAFE`);
// * absent fields stay absent, and fields come in the order of the file, so that JSON is the same at both ends;
// * a message whose only field is `repeated … items` is a list that may be absent.
// What does not fit is an error on either side: nothing is left out, nothing is made up.
import { assert } from '../../base/assert.ts';
import { typeNamed } from './protos.ts';

/** A message that is not as it must be: a required part is missing, a word is unknown. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

type Plain = Readonly<Record<string, unknown>>;

interface FieldPlan {
  readonly name: string;
  readonly repeated: boolean;
  /** Marked `optional`. */
  readonly optional: boolean;
  readonly toWire: (value: unknown, path: string) => unknown;
  /** Undefined: nothing was said. */
  readonly fromWire: (value: unknown, path: string) => unknown;
}

interface MessagePlan {
  readonly fields: readonly FieldPlan[];
  readonly byName: ReadonlyMap<string, FieldPlan>;
  /** It stands for a list. */
  readonly isList: boolean;
}

interface FieldDescriptor {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

/** What proto-loader is given for `plain`. An object that does not fit is a defect of ours. */
export function toWire(messageName: string, plain: object): object {
  return messageToWire(planOf(messageName), plain, messageName);
}

/** The plain object of what proto-loader has read. Errors: {@link WireError}. */
export function fromWire(messageName: string, wire: object): object {
  return messageFromWire(planOf(messageName), wire, messageName) as object;
}

function messageToWire(plan: MessagePlan, value: unknown, path: string): object {
  assert(typeof value === 'object' && value !== null, `${path} is an object`);
  const plain = (plan.isList ? { items: value } : value) as Plain;
  for (const name of Object.keys(plain)) {
    assert(plain[name] === undefined || plan.byName.has(name), `${path} has a field ${name}`);
  }
  const wire: Record<string, unknown> = {};
  for (const { name, repeated, toWire } of plan.fields) {
    const item = plain[name];
    if (item === undefined) continue;
    const at = `${path}.${name}`;
    if (!repeated) wire[name] = toWire(item, at);
    else {
      assert(Array.isArray(item), `${at} is a list`);
      wire[name] = item.map((one) => toWire(one, at));
    }
  }
  return wire;
}

function messageFromWire(plan: MessagePlan, value: unknown, path: string): unknown {
  const wire = value as Plain;
  const plain: Record<string, unknown> = {};
  for (const { name, repeated, optional, fromWire } of plan.fields) {
    const [item, at] = [wire[name], `${path}.${name}`];
    // Absent: an optional field, or one of several alternatives. A whole message that is missing is null.
    if (item === undefined) continue;
    if (repeated) {
      plain[name] = (item as unknown[]).map((one) => fromWire(one, at));
      continue;
    }
    const read = item === null ? undefined : fromWire(item, at);
    if (read !== undefined) plain[name] = read;
    else if (!optional) throw new WireError(`${at} is missing`);
  }
  return plan.isList ? plain.items : plain;
}

const plans = new Map<string, MessagePlan>();

function planOf(messageName: string): MessagePlan {
  const known = plans.get(messageName);
  if (known) return known;
  const definition = typeNamed(messageName, '');
  assert(definition, `${messageName} is a message`);
  const type = definition.type as {
    readonly field: readonly FieldDescriptor[];
    readonly oneofDecl: readonly { readonly name: string }[];
  };
  const scope = messageName.slice(0, messageName.lastIndexOf('.'));
  const fields = type.field.map((field): FieldPlan => {
    const { name, label } = field;
    // The marker of an optional field is a group of alternatives with one member.
    const optional = type.oneofDecl.some((group) => group.name === `_${name}`);
    const repeated = label === 'LABEL_REPEATED';
    return { name, repeated, optional, ...converters(field, scope, optional) };
  });
  const plan = {
    fields,
    byName: new Map(fields.map((field) => [field.name, field])),
    isList: fields.length === 1 && fields[0]?.name === 'items' && fields[0].repeated,
  };
  plans.set(messageName, plan);
  return plan;
}

type Converters = Pick<FieldPlan, 'toWire' | 'fromWire'>;

function converters(field: FieldDescriptor, scope: string, optional: boolean): Converters {
  const { type, typeName } = field;
  if (type === 'TYPE_MESSAGE') {
    const inner = `${scope}.${typeName}`;
    const full = typeNamed(inner, '') ? inner : typeName;
    return {
      toWire: (value, path) => messageToWire(planOf(full), value, path),
      fromWire: (value, path) => messageFromWire(planOf(full), value, path),
    };
  }
  if (type === 'TYPE_ENUM') return enumConverters(typeName, scope, optional);
  if (type === 'TYPE_INT64') return int64Converters;
  if (type === 'TYPE_BYTES') {
    return { toWire: checked((value) => value instanceof Uint8Array), fromWire: same };
  }
  const expected = jsTypes.get(type);
  assert(expected, `fields of ${type} can be mapped`);
  return {
    toWire: checked((value) => typeof value === expected && !Number.isNaN(value)),
    fromWire: same,
  };
}

const jsTypes: ReadonlyMap<string, string> = new Map([
  ['TYPE_STRING', 'string'],
  ['TYPE_BOOL', 'boolean'],
  ['TYPE_DOUBLE', 'number'],
  ['TYPE_INT32', 'number'],
]);

const int64Converters: Converters = {
  toWire(value, path) {
    assert(Number.isSafeInteger(value), `${path} is a whole number below 2^53`);
    return String(value);
  },
  fromWire(value, path) {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new WireError(`${path} is beyond 2^53`);
    return number;
  },
};

function enumConverters(typeName: string, scope: string, optional: boolean): Converters {
  const definition = typeNamed(typeName, scope);
  assert(definition, `${typeName} is an enumeration`);
  const { value: values } = definition.type as { readonly value: readonly { name: string }[] };
  const prefix = `${typeName.replace(/(?<=.)[A-Z]/g, '_$&').toUpperCase()}_`;
  const words = new Map(
    values.map(({ name }) => {
      assert(name.startsWith(prefix), `${name} begins with ${prefix}`);
      return [name, name.slice(prefix.length).toLowerCase().replaceAll('_', '-')];
    }),
  );
  const names = new Map([...words].map(([name, word]) => [word, name]));
  return {
    toWire(value, path) {
      const name = names.get(String(value));
      assert(name, `${path} is not ${String(value)}`);
      return name;
    },
    fromWire(value, path) {
      const word = words.get(String(value));
      if (word === undefined) throw new WireError(`${path} has the unknown value ${value}`);
      if (word !== 'unspecified') return word;
      if (optional) return undefined;
      throw new WireError(`${path} is missing`);
    },
  };
}

const same = (value: unknown): unknown => value;

function checked(fits: (value: unknown) => boolean): (value: unknown, path: string) => unknown {
  return (value, path) => {
    assert(fits(value), `${path} is of its type`);
    return value;
  };
}
