// Names of types, read and printed: Java classes of SSTable headers, CQL texts of `system_schema`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { cqlTypeName, parseCqlType, type UserTypeLookup } from './cql-name.ts';
import { marshalName, parseMarshal } from './marshal-name.ts';
import { fixedValueLength } from './value-layout.ts';

const full = (text: string): string =>
  text.replaceAll(/[A-Z]\w*Type/g, (name) => `org.apache.cassandra.db.marshal.${name}`);

const headerTexts = [
  'Int32Type',
  'ReversedType(TimeUUIDType)',
  'CompositeType(Int32Type,UTF8Type)',
  'ListType(UTF8Type)',
  'FrozenType(ListType(SetType(Int32Type)))',
  'MapType(UTF8Type,FrozenType(ListType(Int32Type)))',
  'FrozenType(MapType(UTF8Type,ListType(Int32Type)))',
  'TupleType(Int32Type,ListType(UTF8Type))',
  'VectorType(FloatType , 3)',
  'VectorType(FrozenType(ListType(UTF8Type)) , 2)',
  'ReversedType(FrozenType(SetType(LongType)))',
  'UserType(ks,61646472,7374:UTF8Type,6e:FrozenType(ListType(Int32Type)))',
  'FrozenType(UserType(ks,61646472,7374:UTF8Type,6e:ListType(Int32Type)))',
];

test('a class name that was read is printed again byte for byte', () => {
  for (const short of headerTexts) {
    const text = full(short);
    assert.equal(marshalName(parseMarshal(text)), text);
  }
});

test('what is inside a collection is frozen, and the outermost only when it says so', () => {
  assert.deepEqual(parseMarshal('ListType(SetType(Int32Type))'), {
    kind: 'list',
    element: { kind: 'set', element: { kind: 'scalar', name: 'int' }, frozen: true },
    frozen: false,
  });
  assert.deepEqual(parseMarshal('FrozenType(SetType(Int32Type))'), {
    kind: 'set',
    element: { kind: 'scalar', name: 'int' },
    frozen: true,
  });
});

test('user types are printed in the keyspace that is asked for', () => {
  const type = parseMarshal('SetType(FrozenType(UserType(old,6161,6262:Int32Type)))');
  assert.equal(
    marshalName(type, { keyspace: 'new' }),
    full('SetType(FrozenType(UserType(new,6161,6262:Int32Type)))'),
  );
});

test('a custom type is refused by its name', () => {
  for (const text of [
    'com.example.MyType',
    'DynamicCompositeType(s=>UTF8Type)',
    'LexicalUUIDType',
  ]) {
    assert.throws(
      () => parseMarshal(text),
      (error) =>
        isCodrError(error, 'source-unfit') && error.message.includes(text.split('(')[0] ?? ''),
    );
  }
});

test('malformed class names are refused', () => {
  const texts = ['', 'ListType', 'ListType(Int32Type', 'MapType(Int32Type)', 'Int32Type)'];
  texts.push('VectorType(FloatType , 0)', 'UserType(ks,6g)', 'UserType(ks,61,62Int32Type)');
  texts.push('ListType('.repeat(100));
  for (const text of texts) {
    assert.throws(
      () => parseMarshal(text),
      (error) => isCodrError(error, 'source-unfit'),
      text,
    );
  }
});

const userTypes: UserTypeLookup = (name) =>
  ({
    addr: { fieldNames: ['street', 'tags'], fieldTypes: ['text', 'frozen<set<text>>'] },
    'My "Type"': { fieldNames: ['Addr'], fieldTypes: ['frozen<addr>'] },
    loop: { fieldNames: ['loop'], fieldTypes: ['frozen<loop>'] },
  })[name];

test('a text of system_schema that was read is printed again', () => {
  const texts = ['int', 'list<text>', 'frozen<list<frozen<set<int>>>>', 'map<text, frozen<addr>>'];
  texts.push('frozen<tuple<int, text>>', 'vector<float, 3>', 'addr', 'frozen<"My ""Type""">');
  texts.push('frozen<map<int, frozen<tuple<int, frozen<list<text>>>>>>', 'counter', 'empty');
  for (const text of texts) assert.equal(cqlTypeName(parseCqlType(text, userTypes, 'ks')), text);
});

test('both names of a type give the same tree', () => {
  const both = [
    [
      'frozen<addr>',
      'FrozenType(UserType(ks,61646472,737472656574:UTF8Type,74616773:SetType(UTF8Type)))',
    ],
    ['addr', 'UserType(ks,61646472,737472656574:UTF8Type,74616773:FrozenType(SetType(UTF8Type)))'],
    ['map<int, frozen<list<varchar>>>', 'MapType(Int32Type,FrozenType(ListType(UTF8Type)))'],
    ["'org.apache.cassandra.db.marshal.EmptyType'", 'EmptyType'],
    ['vector<text, 2>', 'VectorType(UTF8Type , 2)'],
  ] as const;
  for (const [cql, java] of both) {
    assert.deepEqual(parseCqlType(cql, userTypes, 'ks'), parseMarshal(java));
  }
});

test('unknown, endless and malformed CQL types are refused', () => {
  const texts = ['nope', 'loop', 'list<int', 'int>', 'list<>', 'vector<float, 0>', 'int<text>'];
  texts.push("'com.example.MyType'", '');
  for (const text of texts) {
    assert.throws(
      () => parseCqlType(text, userTypes, 'ks'),
      (error) => isCodrError(error, 'source-unfit'),
      text,
    );
  }
});

test('only types whose serializer says so have values without a length', () => {
  const lengths = [
    ['BooleanType', 1],
    ['Int32Type', 4],
    ['FloatType', 4],
    ['LongType', 8],
    ['DoubleType', 8],
    ['TimestampType', 8],
    ['UUIDType', 16],
    ['TimeUUIDType', 16],
    ['EmptyType', 0],
    ['ReversedType(Int32Type)', 4],
    ['VectorType(FloatType , 3)', 12],
    ['VectorType(UTF8Type , 3)', -1],
    ['ByteType', -1],
    ['ShortType', -1],
    ['SimpleDateType', -1],
    ['TimeType', -1],
    ['InetAddressType', -1],
    ['CounterColumnType', -1],
    ['TupleType(Int32Type)', -1],
  ] as const;
  for (const [name, length] of lengths) assert.equal(fixedValueLength(parseMarshal(name)), length);
});
