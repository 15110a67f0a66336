// Numbers 6 to 12 of the acceptance list: what records may be, and what updates do to them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  Binary,
  BSONType,
  Code,
  Decimal128,
  type Document,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'mongodb';
import { insertRaw, rawDocument } from './raw-insert.ts';
import { chance, compareTimes, type Protected, timed, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open({ segmentBytes: 8 << 10 });
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

type Update = Document | Document[];

/** Runs updates of collection `a` one after the other while followed; then every step is held against CODR. */
async function assertEachStep(
  source: Protected,
  steps: readonly { q: Document; u: Update; multi?: boolean; upsert?: boolean }[],
): Promise<void> {
  const times: Timestamp[] = [];
  await source.following(async () => {
    for (const step of steps) {
      times.push(await timed(world.client, source.name, { update: 'a', updates: [step] }));
    }
  });
  for (const at of times) await source.assertEqualAt(at);
}

test('6: updates within documents and arrays give the bytes the server has', async () => {
  const a = world.client.db('six').collection<Document>('a');
  await a.insertOne({
    _id: 1 as never,
    x: { y: { z: 1, w: [1, 2, 3] } },
    list: [0, 1, 2, 3, 4, 5],
  });
  await a.insertOne({ _id: 2 as never, first: 1, second: 2, third: { a: [{ b: 1 }, { b: 2 }] } });
  const long = 'a long text that makes a replacement dearer than a difference '.repeat(8);
  await a.updateMany({}, { $set: { ballast: long } });
  const six = await world.protect('six');
  const q = { _id: 1 };
  const other = { _id: 2 };
  await assertEachStep(six, [
    { q, u: { $set: { 'x.y.z': 2, 'x.n': { deep: [] } }, $unset: { 'x.y.w.1': 1 } } },
    { q, u: [{ $set: { list: { $slice: ['$list', 2] } } }] },
    { q, u: { $set: { 'list.7': 'padded' } } },
    { q, u: { $push: { list: { $each: [8, 9], $position: 1 } } } },
    { q, u: { $pop: { list: -1 } } },
    { q, u: { $set: { x: 5 } } },
    { q, u: { $set: { x: { y: { again: true } } } } },
    { q, u: { $set: { 'x.y.more': [{}] } } },
    { q, u: [{ $unset: 'x' }, { $set: { x: 'moved to the end' } }] },
    {
      q: other,
      u: [{ $replaceWith: { $mergeObjects: [{ _id: 2, third: 0, first: 0 }, '$$ROOT'] } }],
    },
    { q: other, u: { $set: { 'third.a.1.b': 3, 'third.a.0.c': [1] } } },
    { q: other, u: { $rename: { first: 'renamed' } } },
    { q: other, u: { $set: { 'third.a.3': null }, $unset: { second: 1 } } },
    { q: other, u: { $set: { '3': 'a number as a name', 'third.5.6': 1 } } },
  ]);
});

test('7: replacements, upserts, multi-updates and pipeline updates give the bytes the server has', async () => {
  const a = world.client.db('seven').collection<Document>('a');
  const rows = Array.from({ length: 200 }, (_, i) => ({
    _id: i as never,
    n: i,
    pad: 'x'.repeat(200),
  }));
  await a.insertMany(rows);
  const seven = await world.protect('seven');
  await assertEachStep(seven, [
    { q: { _id: 3 }, u: { replaced: true, n: -1 } },
    { q: { _id: 1000 }, u: { $set: { made: 'by an upsert' } }, upsert: true },
    { q: { _id: 1001, n: 5 }, u: { whole: 1 }, upsert: true },
    { q: { n: { $lt: 50 } }, u: { $mul: { n: 3 }, $currentDate: { at: true } }, multi: true },
    { q: {}, u: [{ $set: { twice: { $add: ['$n', '$n'] } } }, { $unset: 'pad' }], multi: true },
    { q: { _id: 4 }, u: [{ $replaceWith: { only: '$n' } }] },
    { q: { _id: 3 }, u: {} },
  ]);
});

test('8: unique values that swap their owners while copied restore under the unique index', async () => {
  const { client } = world;
  const a = client.db('eight').collection<{ _id: number; u: number; pad: string }>('a');
  await a.insertMany(
    Array.from({ length: 1000 }, (_, i) => ({ _id: i, u: i, pad: 'x'.repeat(200) })),
  );
  await a.createIndex({ u: 1 }, { unique: true });
  const eight = await world.protect('eight');
  const random = chance(8);
  const times: Timestamp[] = [];
  const swap = async (one: number, other: number): Promise<void> => {
    const [left, right] = [await a.findOne({ _id: one }), await a.findOne({ _id: other })];
    await a.updateOne({ _id: one }, { $set: { u: -1 } });
    await a.updateOne({ _id: other }, { $set: { u: left!.u } });
    const last = [{ q: { _id: one }, u: { $set: { u: right!.u } } }];
    times.push(await timed(client, 'eight', { update: 'a', updates: last }));
  };
  await eight.following(
    async (state) => {
      for (let left = 100; left > 0; left -= state.isProtected ? 1 : 0) {
        const one = random.below(1000);
        await swap(one, (one + 1 + random.below(999)) % 1000);
      }
    },
    { start: 'at once' },
  );
  const { from } = await eight.interval();
  assert.ok(compareTimes(times[0]!, from) < 0, 'swapping began while the copy was made');
  const within = times.filter((at) => compareTimes(from, at) <= 0);
  await eight.assertEqualAt(from);
  for (let i = 0; i < 4; i++) await eight.assertEqualAt(within[random.below(within.length)]!);
});

const oid = (n: number): ObjectId => new ObjectId(n.toString(16).padStart(24, '0'));

/** Ids of every type that a server takes, 12 of each where there are so many. */
function mixedIds(): unknown[] {
  const many = Array.from({ length: 12 }, (_, i) => i);
  return [
    new MinKey(),
    new MaxKey(),
    null,
    true,
    false,
    new Double(Number.NaN),
    new Double(Number.POSITIVE_INFINITY),
    new Double(Number.NEGATIVE_INFINITY),
    ...many.map((i) => new Int32(i * 3)),
    ...many.map((i) => new Double(i * 3 + 0.5)),
    ...many.map((i) => Long.fromString('9007199254740993').add(i)),
    ...many.map((i) => Decimal128.fromString(`${i}.25`)),
    ...many.map((i) => `text ${i}`),
    '',
    'ä',
    'Z',
    ...many.map(oid),
    ...many.map((i) => new Date(i * 1000 - 5000)),
    ...many.map((i) => new Timestamp({ t: i, i: 1 })),
    ...many.map((i) => new Binary(Buffer.alloc(i, i), i % 2 ? 0 : 128)),
    ...many.map((i) => ({ a: i, b: { c: `${i}` } })),
    {},
    { a: null },
    new Code('f'),
    new Code('f', { x: 1 }),
  ];
}

test('9: records with ids of every type are all there, once, whatever the bounds of segments', async () => {
  const { client } = world;
  const a = client.db('nine').collection<Document>('a');
  const rows = mixedIds().map((_id) => ({ _id: _id as never, pad: 'x'.repeat(700) }));
  await a.insertMany(rows);
  const nine = await world.protect('nine');
  const times: Timestamp[] = [];
  await nine.following(async () => {
    const updates = rows.map(({ _id }, i) => ({ q: { _id: { $eq: _id } }, u: { $set: { i } } }));
    times.push(await timed(client, 'nine', { update: 'a', updates }));
    const deletes = rows
      .filter((_, i) => i % 3 === 0)
      .map(({ _id }) => ({ q: { _id: { $eq: _id } }, limit: 1 }));
    times.push(await timed(client, 'nine', { delete: 'a', deletes }));
    const documents = rows.filter((_, i) => i % 6 === 0).map(({ _id }) => ({ _id, again: true }));
    times.push(await timed(client, 'nine', { insert: 'a', documents }));
  });
  assert.equal(
    await a.countDocuments({ i: { $exists: true } }),
    rows.filter((_, i) => i % 3).length,
  );
  await nine.assertEqualAt((await nine.interval()).from);
  for (const at of times) await nine.assertEqualAt(at);
  const decimalNan = { _id: Decimal128.fromString('NaN') as never };
  await client.db('nine').collection<Document>('b').insertOne(decimalNan);
  await nine.backup();
  await nine.assertEqualAt(await latest(nine));
});

async function latest(source: Protected): Promise<Timestamp> {
  return (await source.interval()).to;
}

const int32 = (n: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(n);
  return bytes;
};
const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const text = (value: string): Buffer =>
  Buffer.concat([int32(Buffer.byteLength(value) + 1), Buffer.from(`${value}\0`)]);

/** One document with every kind of value, and names that drivers forbid. */
function oddDocument(id: number): Buffer {
  const binary = (subtype: number, bytes: Buffer): Buffer =>
    Buffer.concat([int32(bytes.length), Buffer.from([subtype]), bytes]);
  const scope = rawDocument([BSONType.int, 'x', int32(1)]);
  const code = Buffer.concat([text('return x'), scope]);
  return rawDocument(
    [BSONType.int, '_id', int32(id)],
    [BSONType.double, 'one', hex('000000000000f03f')],
    [BSONType.double, 'minus zero', hex('0000000000000080')],
    [BSONType.double, 'nan', hex('010203040506f87f')],
    [BSONType.double, 'negative nan', hex('000000000000f8ff')],
    [BSONType.long, 'long', hex('0100000000002000')],
    [BSONType.long, 'small long', hex('0500000000000000')],
    [BSONType.decimal, 'decimal', hex('01000000000000000000000000003c30')],
    [BSONType.decimal, 'decimal of zeros', hex('0a000000000000000000000000003e30')],
    [BSONType.decimal, 'decimal nan', hex('0000000000000000000000000000007c')],
    [BSONType.symbol, 'symbol', text('a symbol')],
    [BSONType.dbPointer, 'pointer', Buffer.concat([text('a.b'), hex('0102030405060708090a0b0c')])],
    [BSONType.undefined, 'undefined', Buffer.alloc(0)],
    [BSONType.javascriptWithScope, 'scope', Buffer.concat([int32(4 + code.length), code])],
    [BSONType.javascript, 'code', text('f()')],
    [BSONType.binData, 'function', binary(1, hex('aabb'))],
    [BSONType.binData, 'old binary', binary(2, Buffer.concat([int32(2), hex('aabb')]))],
    [BSONType.binData, 'old uuid', binary(3, Buffer.alloc(16, 3))],
    [BSONType.binData, 'uuid', binary(4, Buffer.alloc(16, 4))],
    [BSONType.binData, 'md5', binary(5, Buffer.alloc(16, 5))],
    [BSONType.binData, 'encrypted', binary(6, hex('01aabb'))],
    [BSONType.binData, 'vector', binary(9, hex('030001020304'))],
    [BSONType.binData, 'own', binary(200, hex('ff'))],
    [BSONType.regex, 'regex', Buffer.from('a/b\\d\0imsx\0')],
    [BSONType.regex, 'odd regex', Buffer.from('\0\0')],
    [BSONType.minKey, 'min', Buffer.alloc(0)],
    [BSONType.maxKey, 'max', Buffer.alloc(0)],
    [BSONType.null, 'null', Buffer.alloc(0)],
    [BSONType.int, 'twice', int32(1)],
    [BSONType.string, 'twice', text('the second of that name')],
    [BSONType.int, '', int32(7)],
    [BSONType.int, '$dollar', int32(8)],
    [BSONType.int, 'dots.in.it', int32(9)],
    [BSONType.int, 'ünï', int32(10)],
    [
      BSONType.array,
      'array',
      rawDocument([BSONType.int, '5', int32(1)], [BSONType.int, '5', int32(2)]),
    ],
    [
      BSONType.object,
      'object',
      rawDocument([BSONType.int, '$', int32(1)], [BSONType.int, '', int32(1)]),
    ],
  );
}

/**
 * A BinData of subtype 7: buckets of time series hold such; here it is any document's. A column of one double:
 * its literals bear no name, which 6.0.27 looks at and older servers do not.
 */
function columnDocument(id: number): Buffer {
  const column = hex('0100000000000000f03f00');
  return rawDocument(
    [BSONType.int, '_id', int32(id)],
    [BSONType.binData, 'column', Buffer.concat([int32(column.length), Buffer.from([7]), column])],
  );
}

test('10: values of every type and names of every kind come back as the bytes they were', async () => {
  const { client, source } = world;
  const port = source.ports[0] as number;
  await insertRaw(port, 'ten.a', [oddDocument(1), oddDocument(2), columnDocument(3)]);
  const ten = await world.protect('ten');
  const times: Timestamp[] = [];
  await ten.following(async () => {
    times.push(await insertRaw(port, 'ten.a', [oddDocument(4), columnDocument(5)]));
    const update = (q: Document, u: Update): Promise<Timestamp> =>
      timed(client, 'ten', { update: 'a', updates: [{ q, u }] });
    times.push(await update({ _id: 2 }, { $set: { added: 1 }, $unset: { 'minus zero': 1 } }));
    times.push(await update({ _id: 4 }, { $set: { one: new Long(1), 'object.x': 1 } }));
    times.push(await update({ _id: 4 }, [{ $set: { copy: '$nan', 'array.y': 1 } }]));
  });
  await ten.assertEqualAt((await ten.interval()).from);
  for (const at of times) await ten.assertEqualAt(at);
});

test('11: a timestamp of zeros stays one, at the top and within', async () => {
  const { client } = world;
  const zero = new Timestamp({ t: 0, i: 0 });
  const database = client.db('eleven');
  await database.collection<Document>('a').insertOne({ _id: 1 as never, within: { zero }, n: 1 });
  // The server replaces one at the top of an inserted document; a pipeline gets it in.
  const top = (q: Document): Document => ({
    update: 'a',
    updates: [{ q, u: [{ $set: { zero: { $literal: zero } } }] }],
  });
  await timed(client, 'eleven', top({ _id: 1 }));
  const eleven = await world.protect('eleven');
  const times: Timestamp[] = [];
  await eleven.following(async () => {
    await database.collection<Document>('a').insertOne({ _id: 2 as never, list: [zero] });
    times.push(await timed(client, 'eleven', top({ _id: 2 })));
  });
  assert.equal(await database.collection('a').countDocuments({ zero }), 2);
  await eleven.assertEqualAt((await eleven.interval()).from);
  for (const at of times) await eleven.assertEqualAt(at);
});

test('12: documents of 16 MiB are captured and restored, and so are updates of them', async () => {
  const { client, source } = world;
  const port = source.ports[0] as number;
  const bytesMax = 16 << 20;
  const big = (id: number, bytes: number): Buffer => {
    const overhead = rawDocument(
      [BSONType.int, '_id', int32(id)],
      [BSONType.string, 's', text('')],
    ).length;
    const filler = String.fromCharCode(97 + id).repeat(bytes - overhead);
    return rawDocument([BSONType.int, '_id', int32(id)], [BSONType.string, 's', text(filler)]);
  };
  await insertRaw(port, 'twelve.a', [big(1, bytesMax)]);
  await insertRaw(port, 'twelve.a', [big(2, bytesMax - 40)]);
  const twelve = await world.protect('twelve');
  const times: Timestamp[] = [];
  await twelve.following(async () => {
    times.push(await insertRaw(port, 'twelve.a', [big(3, bytesMax)]));
    const update = (q: Document, u: Update): Promise<Timestamp> =>
      timed(client, 'twelve', { update: 'a', updates: [{ q, u }] });
    await update({ _id: 2 }, { $set: { n: 1 } });
    await update({ _id: 3 }, [
      { $set: { s: { $concat: ['A', { $substrBytes: ['$s', 1, -1] }] } } },
    ]);
    times.push(await update({ _id: 1 }, { s: 'B'.repeat(bytesMax - 40) }));
  });
  assert.equal(await client.db('twelve').collection('a').countDocuments({ n: 1 }), 1);
  for (const at of times) await twelve.assertEqualAt(at);
});
