// One record without a restore: keys of every type, its history, and what is said when there is none.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  Binary,
  type Db,
  Decimal128,
  type Document,
  Double,
  Long,
  MinKey,
  ObjectId,
  Timestamp,
} from 'mongodb';
import { call, World } from '../../../test/mongodb/world.ts';
import type { RecordResult } from '../../api/codr-api.ts';

type Row = Document & { _id: never };

let world: World;
let app: Db;
const oid = new ObjectId('65a1b2c3d4e5f60718293a4b');
/** The key as a user writes it, and the `_id`. */
const keys: [string, unknown][] = [
  ['5', 5],
  ['-2.5', new Double(-2.5)],
  ['9007199254740993', Long.fromString('9007199254740993')],
  ['{"$numberDecimal":"0.1"}', Decimal128.fromString('0.1')],
  ['65a1b2c3d4e5f60718293a4b', oid],
  ['{"$oid":"65a1b2c3d4e5f60718293a4c"}', new ObjectId('65a1b2c3d4e5f60718293a4c')],
  ['word', 'word'],
  ['"7"', '7'],
  ['two words', 'two words'],
  ['true', true],
  ['null', null],
  ['{"b":1,"a":{"$oid":"65a1b2c3d4e5f60718293a4b"}}', { b: 1, a: oid }],
  ['{"$date":"2026-01-01T00:00:00Z"}', new Date('2026-01-01T00:00:00Z')],
  ['{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}', uuid('00112233445566778899aabbccddeeff')],
  ['{"$timestamp":{"t":1,"i":2}}', new Timestamp({ t: 1, i: 2 })],
  ['{"$minKey":1}', new MinKey()],
];

function uuid(hex: string): Binary {
  return new Binary(Buffer.from(hex, 'hex'), 4);
}

before(async () => {
  world = await World.open();
  app = world.client.db('get');
  // As a command: the driver's own insert puts an ObjectId in the place of null.
  await app.command({ insert: 'a', documents: keys.map(([text, _id]) => ({ _id, text })) });
  await app.createCollection('ring', { capped: true, size: 4096 });
  const one = await world.protect('get');
  await one.backup();
  const a = app.collection<Row>('a');
  await a.updateOne({ _id: 5 as never }, { $set: { v: 1 } });
  await a.updateOne({ _id: 5 as never }, { $set: { v: 2 } });
  await a.deleteOne({ _id: 'word' as never });
  await world.client.withSession((session) =>
    session.withTransaction(async () => {
      await a.insertOne({ _id: 'new' as never }, { session });
      await a.updateOne({ _id: 'new' as never }, { $set: { v: 1 } }, { session });
    }),
  );
  await app.collection<Row>('ring').insertOne({ _id: 1 as never, v: 1 });
  await app.collection<Row>('ring').updateOne({ _id: 1 as never }, { $set: { v: 2 } });
  await one.backup();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

async function get(key: string, more: { namespace?: string; history?: boolean } = {}) {
  const { namespace = 'get.a', history = false } = more;
  await using node = await world.node();
  return await node.getRecord({ source: 'get', namespace, key, at: 'latest', history });
}

/** What changed, and the field `v` after it. */
function steps({ history = [] }: RecordResult): [string, unknown][] {
  return history.map(({ change, value }) => [
    change,
    value === undefined ? 'gone' : JSON.parse(value).v?.$numberInt,
  ]);
}

test('a key of any type finds its own record', async () => {
  for (const [text] of keys.filter(([key]) => key !== 'word')) {
    const { value } = await get(text);
    assert.equal(value && JSON.parse(value).text, text);
  }
});

test('numbers that are equal are one key, a text of digits is another', async () => {
  const five = (await get('5')).value;
  for (const text of ['5.0', '{"$numberLong":"5"}', '{"$numberDecimal":"5.00"}']) {
    assert.equal((await get(text)).value, five, text);
  }
  await assert.rejects(get('"5"'), {
    code: 'record-unknown',
    message: /^get\.a has no record "5" at or before \d+:\d+$/,
    remedy: 'mind the type of the key: 5 is a number, "5" a string',
  });
});

test('the history of a record has each version once, and the record alone has none', async () => {
  const found = await get('5', { history: true });
  assert.deepEqual(steps(found), [
    ['base', undefined],
    ['patch', '1'],
    ['patch', '2'],
  ]);
  assert.equal(found.value, found.history?.at(-1)?.value);
  const { history, value } = await get('5');
  assert.deepEqual([history, value], [undefined, found.value]);
  const capped = await get('1', { namespace: 'get.ring', history: true });
  assert.deepEqual(steps(capped), [
    ['put', '1'],
    ['patch', '2'],
  ]);
});

test('several changes of one transaction are one version: nobody ever saw the others', async () => {
  assert.deepEqual(steps(await get('new', { history: true })), [['patch', '1']]);
});

test('a record that was deleted has no value but a history', async () => {
  const found = await get('word', { history: true });
  assert.deepEqual([found.value, steps(found).at(-1)], [undefined, ['delete', 'gone']]);
  assert.equal((await get('word')).value, undefined);
});

test('what was never there is refused by name, with and without history', async () => {
  for (const history of [false, true]) {
    await assert.rejects(get('404', { history }), {
      code: 'record-unknown',
      message: /^get\.a has no record 404 at or before/,
    });
    await assert.rejects(get('5', { namespace: 'get.nothing', history }), {
      code: 'namespace-unknown',
      message: 'nothing is called get.nothing at that time',
    });
  }
  await assert.rejects(get('{"a":'), { code: 'usage', message: '"{"a":" is not an _id' });
});

test('the first record that differs from a live cluster is named as a key', async () => {
  const one = { source: 'get', at: 'latest', include: ['get.a'], exclude: [], readData: false };
  await using node = await world.node();
  const target = {
    to: world.target.uri,
    renames: [],
    drop: false,
    ttl: 'keep',
    verify: true,
  } as const;
  await node.restore({ ...one, ...target }, call());
  const copy = world.targetClient.db('get').collection<Row>('a');
  await copy.updateOne({ _id: oid as never }, { $set: { v: 'mine' } });
  const { datasets } = await node.verify({ ...one, against: world.target.uri }, call());
  assert.deepEqual(
    datasets.map(({ namespace, verdict, detail }) => [namespace, verdict, detail]),
    [['get.a', 'different', 'the record {"$oid":"65a1b2c3d4e5f60718293a4b"} is changed']],
  );
  await copy.deleteOne({ _id: 5 as never });
  const [first] = (await node.verify({ ...one, against: world.target.uri }, call())).datasets;
  assert.equal(first?.detail, 'the record {"$numberInt":"5"} is missing');
});
