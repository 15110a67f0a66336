// The client against a server that answers as told. What real servers say: target/proof.cassandra.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../../../base/bytes.ts';
import {
  type Answering,
  encoded,
  errorBody,
  type FakeAnswer,
  fakeNode,
  rowsBody,
  text,
} from './fake-node.fixture.ts';
import { encodeSegments, SegmentDecoder } from './segment-codec.ts';
import { WireConnection, type WireOptions } from './wire-connection.ts';

const { signal } = new AbortController();
const options: WireOptions = { answerBytesMax: 1_000_000 };
const startup = 0x01;
const ready: FakeAnswer = { opcode: 0x02, body: Buffer.alloc(0) };
const result = (body: Buffer, flags = 0): FakeAnswer => ({ opcode: 0x08, body, flags });
const error = (code: number, message: string): FakeAnswer => ({
  opcode: 0x00,
  body: errorBody(code, message),
});
const bytes = (value: string): Buffer => Buffer.from(value);

/** READY, and what `answer` says of each query. */
const afterReady =
  (answer: Answering): Answering =>
  (message) =>
    message.opcode === startup ? ready : answer(message);

test('a segment has its length and checksums, and comes out again however it was cut', () => {
  // AUTH_SUCCESS without a token.
  const message = fromHex('850000001000000004ffffffff');
  const whole = encodeSegments(message);
  assert.equal(
    Buffer.from(whole).toString('hex'),
    '0d0002cf07f7850000001000000004ffffffff3cd8d3ac',
  );
  const long = Buffer.alloc(300_000, 7);
  const all = Buffer.concat([whole, encodeSegments(long)]);
  for (const step of [997, 65_536, all.length]) {
    const decoder = new SegmentDecoder();
    const parts: Uint8Array[] = [];
    for (let at = 0; at < all.length; at += step) {
      parts.push(...decoder.push(all.subarray(at, at + step)));
    }
    assert.deepEqual(parts.length, 4);
    assert.deepEqual(Buffer.concat(parts), Buffer.concat([message, long]));
  }
});

test('one bit that flipped in a header or in the bytes is noticed', () => {
  const whole = encodeSegments(bytes('some bytes'));
  for (const at of [0, 1, 4, 6, 12, whole.length - 1]) {
    const odd = Buffer.from(whole);
    odd[at] = (odd[at] as number) ^ 4;
    assert.throws(() => new SegmentDecoder().push(odd), /another checksum/, `byte ${at}`);
  }
});

test('cells come as bytes, null and empty apart, over all pages, with values sent as they are', async () => {
  const asked: Buffer[] = [];
  using node = await fakeNode(
    afterReady(({ body }) => {
      asked.push(body);
      return asked.length === 1
        ? result(rowsBody([[bytes('a'), undefined]], bytes('next')))
        : result(rowsBody([[Buffer.alloc(0), bytes('b')]]));
    }),
  );
  using connection = await WireConnection.open(node, options, signal);
  const ask = { values: [bytes('\0key')], nowSeconds: 7, rowsMax: 5 };
  const { rows } = await connection.query('SELECT', ask, signal);
  assert.deepEqual(rows, [
    [bytes('a'), undefined],
    [Buffer.alloc(0), bytes('b')],
  ]);
  // Query, consistency ONE, flags, one value, rows a page, the second that is now.
  const head = '0000000653454c45435400010000';
  assert.equal(asked[0]?.toString('hex'), `${head}0105000100000004006b6579000003e800000007`);
  assert.match(asked[1]?.toString('hex') ?? '', new RegExp(`^${head}010d.*000000046e657874`));
});

test('the id of a trace is given, and what a server says beside an answer is passed over', async () => {
  const id = bytes('0123456789abcdef');
  const warnings = Buffer.concat([Buffer.from([0, 1]), text('large')]);
  const body = Buffer.concat([id, warnings, rowsBody([[bytes('x')]])]);
  using node = await fakeNode(afterReady(() => result(body, 0x02 | 0x08)));
  using connection = await WireConnection.open(node, options, signal);
  const found = await connection.query('SELECT', { rowsMax: 1, isTraced: true }, signal);
  assert.deepEqual(found, { rows: [[bytes('x')]], tracingId: id });
});

test('a login is sent as SASL PLAIN; without one, or with a wrong one, the node is named', async () => {
  const logins: string[] = [];
  const answer: Answering = ({ opcode, body }) => {
    if (opcode === startup) return { opcode: 0x03, body: text('PasswordAuthenticator') };
    logins.push(body.toString('latin1'));
    const isFine = body.toString('latin1').endsWith('\0user\0secret');
    return isFine
      ? { opcode: 0x10, body: Buffer.from('ffffffff', 'hex') }
      : error(0x0100, 'Provided username user and/or password are incorrect');
  };
  using node = await fakeNode(answer);
  const login = { username: 'user', password: 'secret' };
  using _ = await WireConnection.open(node, { ...options, login }, signal);
  assert.equal(logins[0], '\0\0\0\x0c\0user\0secret');
  const refused = { code: 'target-rights', object: '127.0.0.1' };
  const wrong = { ...options, login: { username: 'user', password: 'other' } };
  await assert.rejects(WireConnection.open(node, wrong, signal), refused);
  await assert.rejects(WireConnection.open(node, options, signal), refused);
});

test('what a server refuses keeps its code, and the connection goes on', async () => {
  let count = 0;
  using node = await fakeNode(
    afterReady(() =>
      count++ === 0 ? error(0x2200, 'unconfigured table') : result(rowsBody([[bytes('x')]])),
    ),
  );
  using connection = await WireConnection.open(node, options, signal);
  await assert.rejects(connection.query('SELECT', { rowsMax: 1 }, signal), {
    code: 'target-unfit',
    message: `127.0.0.1, port ${node.port}: unconfigured table`,
    facts: { node: '127.0.0.1', wireCode: 0x2200 },
  });
  assert.equal((await connection.query('SELECT', { rowsMax: 1 }, signal)).rows.length, 1);
});

test('a server that says nothing, hangs up, speaks another version or says too much ends the connection', async () => {
  const flipped = encodeSegments(encoded(result(rowsBody([[bytes('x')]]))));
  flipped[20] = (flipped[20] as number) ^ 1;
  const cases: readonly (readonly [Answering, RegExp])[] = [
    [() => undefined, /did not answer within 0 s/],
    [() => flipped, /another checksum/],
    [() => encodeSegments(Buffer.from('840000000800000000', 'hex')), /version 4/],
    [
      () => encodeSegments(Buffer.from('85000000087fffffff', 'hex')),
      /an answer of 2147483647 bytes/,
    ],
    [() => result(rowsBody([[bytes('x')], [bytes('y')]])), /more than 1 rows/],
    [() => result(Buffer.from('00000002', 'hex')), /ends early/],
    [() => ready, /message 2 where 8 was awaited/],
  ];
  for (const [answer, message] of cases) {
    using node = await fakeNode(afterReady(answer));
    const hasty = { ...options, answerMsMax: 200 };
    using connection = await WireConnection.open(node, hasty, signal);
    const asked = connection.query('SELECT', { rowsMax: 1 }, signal);
    await assert.rejects(asked, { code: 'target-unfit', message });
  }
});

test('an abort ends a request with its reason, and nothing is asked on that connection again', async () => {
  using node = await fakeNode(afterReady(() => undefined));
  using connection = await WireConnection.open(node, options, signal);
  const stop = new AbortController();
  const asked = connection.query('SELECT', { rowsMax: 1 }, stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(asked, /enough/);
  await assert.rejects(connection.query('SELECT', { rowsMax: 1 }, signal), /was given up/);
});

test('a port where nobody listens is named', async () => {
  const { host, port } = await (async () => {
    using node = await fakeNode(() => undefined);
    return node;
  })();
  await assert.rejects(WireConnection.open({ host, port }, options, signal), {
    code: 'target-unfit',
    message: /^127\.0\.0\.1, port \d+: .*ECONNREFUSED/,
  });
});
