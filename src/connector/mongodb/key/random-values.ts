// Random BSON values for tests: every type, the numbers that lie close to each other, values that are equal
// across types. Raw bytes, since the driver cannot write all of them.
import type { Random } from '../../../base/random.ts';
import { BsonWriter } from '../bson/bson-writer.ts';
import { bsonTypes } from '../bson/raw-bson.ts';

/** A document with only a random `_id`, of the types that the server takes for one. */
export function randomDocumentWithId(random: Random): Buffer {
  const out = new BsonWriter();
  const type = pick(random, idTypes);
  out.value(type, '_id', randomValue(random, type, 0));
  return out.finish();
}

/** Appends a random element of any type. */
export function appendRandom(out: BsonWriter, name: string, random: Random, depth = 0): void {
  const type = pick(random, depth < 3 ? allTypes : scalarTypes);
  out.value(type, name, randomValue(random, type, depth));
}

const scalarTypes = [
  ...[bsonTypes.double, bsonTypes.double, bsonTypes.int32, bsonTypes.int64, bsonTypes.decimal128],
  ...[bsonTypes.string, bsonTypes.symbol, bsonTypes.binary, bsonTypes.undefined, bsonTypes.null],
  ...[bsonTypes.objectId, bsonTypes.bool, bsonTypes.date, bsonTypes.timestamp, bsonTypes.regex],
  ...[bsonTypes.dbPointer, bsonTypes.code, bsonTypes.codeWithScope, bsonTypes.minKey],
  bsonTypes.maxKey,
];
const allTypes = [...scalarTypes, bsonTypes.document, bsonTypes.document, bsonTypes.array];
const idTypes = allTypes
  .filter(
    (type) => ![bsonTypes.array, bsonTypes.regex, bsonTypes.undefined].includes(type as never),
  )
  .concat([bsonTypes.decimal128, bsonTypes.decimal128, bsonTypes.document, bsonTypes.int64]);

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}

const texts = ['', 'a', 'a\0', 'a\0b', 'aa', 'ä', 'b', '\u{1f600}', '\uffff', '0', 'id', 'a\u0001'];

function randomText(random: Random): Buffer {
  if (random.below(3) > 0) return Buffer.from(pick(random, texts));
  return Buffer.from(random.bytes(random.below(6)).map((byte) => byte & 127));
}

function lengthPrefixed(bytes: Uint8Array): Buffer {
  const out = Buffer.alloc(bytes.length + 5);
  out.writeInt32LE(bytes.length + 1);
  out.set(bytes, 4);
  return out;
}

function cstring(random: Random): Buffer {
  return Buffer.from(`${pick(random, texts).replaceAll('\0', '')}\0`);
}

function randomValue(random: Random, type: number, depth: number): Buffer {
  switch (type) {
    case bsonTypes.double:
      return double(randomDouble(random));
    case bsonTypes.int32:
      return int32(
        pick(random, [random.below(20) - 10, random.below(2 ** 31), -random.below(2 ** 31)]),
      );
    case bsonTypes.int64:
      return int64(randomInt64(random));
    case bsonTypes.decimal128:
      return randomDecimal(random);
    case bsonTypes.string:
    case bsonTypes.symbol:
    case bsonTypes.code:
      return lengthPrefixed(randomText(random));
    case bsonTypes.binary:
      return randomBinary(random);
    case bsonTypes.objectId:
      return Buffer.from(random.bytes(12));
    case bsonTypes.bool:
      return Buffer.from([random.below(2)]);
    case bsonTypes.date:
      return int64(pick(random, [randomInt64(random), BigInt(random.below(1000) - 500)]));
    case bsonTypes.timestamp: // never the one of zeros, which the server replaces
      return Buffer.from([...random.bytes(4), 1 + random.below(200), ...random.bytes(3)]);
    case bsonTypes.regex:
      return Buffer.concat([cstring(random), Buffer.from(pick(random, ['\0', 'i\0', 'im\0']))]);
    case bsonTypes.dbPointer:
      return Buffer.concat([lengthPrefixed(cstring(random).subarray(0, -1)), random.bytes(12)]);
    case bsonTypes.codeWithScope: {
      const body = Buffer.concat([
        lengthPrefixed(randomText(random)),
        randomDocument(random, depth + 2),
      ]);
      return Buffer.concat([int32(body.length + 4), body]);
    }
    case bsonTypes.document:
      return randomDocument(random, depth + 1);
    case bsonTypes.array: {
      const out = new BsonWriter();
      const count = random.below(4);
      for (let i = 0; i < count; i++) appendRandom(out, String(i), random, depth + 1);
      return out.finish();
    }
    default:
      return Buffer.alloc(0);
  }
}

function randomDocument(random: Random, depth: number): Buffer {
  const out = new BsonWriter();
  for (const name of pick(random, [
    [],
    ['a'],
    ['a'],
    ['b'],
    ['a', 'b'],
    ['', '0'],
    ['10', '9', 'aa'],
  ])) {
    appendRandom(out, name, random, depth);
  }
  return out.finish();
}

const closeDoubles = [
  ...[0, -0, 0.1, 0.5, 1, 1.5, 2 ** 53, 2 ** 53 + 2, 2 ** 63, -(2 ** 63), 2 ** 64, 1e300, -1e300],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MIN_VALUE],
  ...[-Number.MIN_VALUE, Number.MAX_VALUE, 2.2250738585072014e-308, 1e-310, 123456789.125, 1 / 3],
];

function randomDouble(random: Random): number {
  if (random.below(2) === 0) return pick(random, closeDoubles) * pick(random, [1, 1, -1]);
  if (random.below(2) === 0) return random.below(2000) / 8 - 100;
  return Buffer.from(random.bytes(8)).readDoubleLE(0);
}

function randomInt64(random: Random): bigint {
  const near = [
    0n,
    1n,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    -(2n ** 53n) - 1n,
    10n,
  ];
  if (random.below(2) === 0) return pick(random, near);
  return Buffer.from(random.bytes(8)).readBigInt64LE(0);
}

/** Decimals beside doubles: 0.1 exactly and as 34 digits of the double, trailing zeros, the extremes. */
function randomDecimal(random: Random): Buffer {
  if (random.below(10) === 0) {
    return decimal(0n, BigInt(pick(random, [0x78, 0xf8, 0x7c, 0xfc])) << 56n);
  }
  const coefficients = [
    ...[0n, 1n, 10n, 15n, 150n, 5n, 9007199254740993n, 9223372036854775808n, 10n ** 34n - 1n],
    ...[1000000000000000055511151231257827n, 3333333333333333148296162562473909n, 10n ** 33n],
    ...[
      BigInt(random.below(1e9)),
      BigInt(random.below(2 ** 31)) ** 3n,
      10n ** 34n,
      49406564584124654n,
    ],
  ];
  const exponents = [
    0, 0, 0, -1, -2, -34, -33, 1, 15, 300, -308, -324, -340, 6111, -6176, -4000, 4000,
  ];
  const exponent = pick(random, [...exponents, random.below(80) - 40]);
  const coefficient = pick(random, coefficients);
  const sign = BigInt(random.below(2)) << 63n;
  const high = sign | (BigInt(exponent + 6176) << 49n) | (coefficient >> 64n);
  return decimal(BigInt.asUintN(64, coefficient), high);
}

function randomBinary(random: Random): Buffer {
  const bytes = Buffer.from(random.bytes(pick(random, [0, 1, 2, 16, 253, 254, 255, 256, 300])));
  if (random.below(2) === 0) bytes.fill(7);
  return Buffer.concat([int32(bytes.length), Buffer.from([pick(random, [0, 4, 5, 128])]), bytes]);
}

function double(value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeDoubleLE(value);
  return out;
}

function int32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeInt32LE(value | 0);
  return out;
}

function int64(value: bigint): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigInt64LE(BigInt.asIntN(64, value));
  return out;
}

function decimal(low: bigint, high: bigint): Buffer {
  const out = Buffer.alloc(16);
  out.writeBigUInt64LE(low, 0);
  out.writeBigUInt64LE(BigInt.asUintN(64, high), 8);
  return out;
}
