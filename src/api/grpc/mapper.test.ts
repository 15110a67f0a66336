import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BrokenPromiseError } from '../../base/assert.ts';
import { fromWire, toWire, WireError } from './mapper.ts';
import { messageNames, plainMessage } from './plain-message.fixture.ts';
import { loadProtos, publicProtos, typeNamed } from './protos.ts';

type Message = Extract<ReturnType<typeof typeNamed>, { serialize: unknown }>;

const message = (name: string): Message => typeNamed(`codr.v1.${name}`, '') as Message;

/** Through the bytes and back. */
function travelled(name: string, plain: object): object {
  const { serialize, deserialize } = message(name);
  return fromWire(`codr.v1.${name}`, deserialize(serialize(toWire(`codr.v1.${name}`, plain))));
}

/** What the bytes of `wire`, an object of proto-loader, say. */
function read(name: string, wire: object): object {
  const { serialize, deserialize } = message(name);
  return fromWire(`codr.v1.${name}`, deserialize(serialize(wire)));
}

const all = Object.entries(loadProtos(publicProtos, { keepCase: false }))
  .filter(([, type]) => 'format' in type && 'serialize' in type)
  .map(([name]) => name)
  .filter((name) => name.startsWith('codr.v1.'));

test('whatever the API says of any message comes back the same', () => {
  const names = messageNames(all);
  assert.ok(names.length > 60, `${names.length} messages`);
  for (const name of names) {
    const short = name.slice('codr.v1.'.length);
    const property = fc.property(plainMessage(name), (plain) => {
      assert.deepEqual(travelled(short, plain), plain, short);
    });
    fc.assert(property, { numRuns: 40 });
  }
});

test('fields come back in the order of the file, whatever order they had', () => {
  const plain = { wall: '2026-11-22T13:05:00.000Z', time: '1:1' };
  assert.deepEqual(Object.keys(travelled('Moment', plain)), ['time', 'wall']);
});

test('a list that is absent stays absent, an empty one stays empty', () => {
  const rest = { dryRun: false, packsExamined: 0, packsRemoved: 0, bytesFreed: 0, seconds: 0 };
  assert.deepEqual(travelled('CollectResult', rest), rest);
  const empty = { ...rest, heldBy: [] };
  assert.deepEqual(travelled('CollectResult', empty), empty);
});

test('undefined fields count as absent', () => {
  const plain = { source: 'shop', follow: false, rpoSeconds: undefined, minGrade: undefined };
  assert.deepEqual(travelled('BackupRequest', plain), { source: 'shop', follow: false });
});

test('counts keep every digit up to 2^53, and beyond they are refused on both sides', () => {
  const progress = { phase: 'p', records: 2 ** 53 - 1, bytes: 0, seconds: 0.25 };
  assert.deepEqual(travelled('Progress', progress), progress);
  assert.throws(() => toWire('codr.v1.Progress', { ...progress, bytes: 2 ** 53 }), /2\^53/);
  assert.throws(() => toWire('codr.v1.Progress', { ...progress, bytes: 0.5 }), /whole number/);
  const beyond = { ...progress, records: '9007199254740993' };
  assert.throws(() => read('Progress', beyond), WireError);
});

test('a field that the protos do not have is a defect of ours, not left out', () => {
  assert.throws(
    () => toWire('codr.v1.Moment', { time: '1', wall: 'w', extra: 1 }),
    (error) => error instanceof BrokenPromiseError && /has a field extra/.test(error.message),
  );
});

test('a value of another type is a defect of ours, not turned into one that fits', () => {
  for (const wrong of [{ time: 5 }, { time: null }, { time: ['1'] }]) {
    assert.throws(() => toWire('codr.v1.Moment', { ...wrong, wall: 'w' }), BrokenPromiseError);
  }
  const request = { source: 's', follow: 'yes' };
  assert.throws(() => toWire('codr.v1.BackupRequest', request), BrokenPromiseError);
  const grade = { source: 's', follow: false, minGrade: 'perfect' };
  assert.throws(() => toWire('codr.v1.BackupRequest', grade), /is not perfect/);
});

test('a message without a part that must be there is refused, and the part is named', () => {
  assert.throws(() => read('Span', { from: { time: '1', wall: 'w' } }), /codr\.v1\.Span\.to is/);
  assert.throws(() => read('SourceFinding', { message: 'm' }), /SourceFinding\.level is missing/);
});

test('a word of a newer version is refused, not taken for another one', () => {
  const newer = { level: 77, message: 'm' };
  assert.throws(() => read('SourceFinding', newer), /level has the unknown value 77/);
});

test('an enumeration that may be absent and says nothing is absent', () => {
  const said = { source: 's', minGrade: 'CUT_GRADE_UNSPECIFIED' };
  assert.deepEqual(read('BackupRequest', said), { source: 's', follow: false });
});
