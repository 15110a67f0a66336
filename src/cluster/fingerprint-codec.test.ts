import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../test/harness/seed.ts';
import { fromHex, toHex } from '../base/bytes.ts';
import { isCodrError } from '../base/error.ts';
import { packId } from '../model/id.ts';
import {
  type Answer,
  batchMax,
  decodeAnswer,
  decodeMessage,
  encodeAnswer,
  encodeHint,
  encodeQuestion,
  fingerprintBytes,
  type KnownPack,
  type Verdict,
} from './fingerprint-codec.ts';

const seed = testSeed(24);
const epoch = { clusterId: 'e7', revision: 300 };
const known: KnownPack = { id: packId('0f'.repeat(32)), kind: 't', bytes: 1000, leaves: 5 };

test('a question, a hint, an answer and a refusal are these bytes', () => {
  const ids = Uint8Array.from({ length: 32 }, (_, i) => i);
  const askers = [
    { session: 200, count: 1 },
    { session: 7, count: 1 },
  ];
  const golden = {
    question: `01026537ac0202c801010701${toHex(ids)}`,
    hint: '020201610a7265706f7369746f7279',
    answer: `01026537ac0201${'0f'.repeat(32)}01e8070501000001000200`,
    refusal: '02026537ac02',
  };
  const verdicts: Verdict[] = [undefined, 'storing', known];
  const answer: Answer = { epoch, verdicts, moved: true };
  assert.equal(toHex(encodeQuestion({ epoch, askers, ids })), golden.question);
  assert.equal(toHex(encodeHint(['a', 'repository'])), golden.hint);
  assert.equal(toHex(encodeAnswer(answer)), golden.answer);
  assert.equal(toHex(encodeAnswer({ epoch, moved: false })), golden.refusal);
  const question = { epoch, askers, ids: Buffer.from(ids) };
  assert.deepEqual(decodeMessage(fromHex(golden.question)), { kind: 'question', question });
  const hint = { kind: 'hint', lineages: ['a', 'repository'] };
  assert.deepEqual(decodeMessage(fromHex(golden.hint)), hint);
  assert.deepEqual(decodeAnswer(fromHex(golden.answer), 3), answer);
  assert.deepEqual(decodeAnswer(fromHex(golden.refusal), 3), { epoch, moved: false });
});

const plain = { noNullPrototype: true };
const packs = fc.record(
  {
    id: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => packId(toHex(bytes))),
    kind: fc.constantFrom('d' as const, 't' as const, 'c' as const),
    bytes: fc.nat(),
    leaves: fc.nat(),
  },
  plain,
);
const epochs = fc.record({ clusterId: fc.string(), revision: fc.maxSafeNat() }, plain);

test('whatever is asked and answered comes out as it went in', () => {
  const verdicts = fc
    .tuple(fc.uniqueArray(packs, { maxLength: 8, selector: ({ id }) => id }), fc.array(fc.nat()))
    .map(([some, picks]) => {
      const choice: Verdict[] = [undefined, 'storing', ...some];
      return picks.map((pick) => choice[pick % choice.length]);
    });
  const answers = fc.property(epochs, verdicts, fc.boolean(), (said, all, moved) => {
    const answer = { epoch: said, verdicts: all, moved };
    assert.deepEqual(decodeAnswer(encodeAnswer(answer), all.length), answer);
  });
  fc.assert(answers, { seed, numRuns: 200 });
  const asker = fc.record({ session: fc.maxSafeNat(), count: fc.nat({ max: 200 }) }, plain);
  const questions = fc.property(epochs, fc.array(asker, { maxLength: 12 }), (said, askers) => {
    const total = askers.reduce((sum, { count }) => sum + count, 0);
    const ids = Buffer.alloc(total * fingerprintBytes, 'fingerprint');
    const question = { epoch: said, askers, ids };
    assert.deepEqual(decodeMessage(encodeQuestion(question)), { kind: 'question', question });
  });
  fc.assert(questions, { seed, numRuns: 100 });
});

test('bytes that end early, go on, or claim too much are refused', () => {
  const ids = new Uint8Array(2 * fingerprintBytes);
  const question = encodeQuestion({ epoch, askers: [{ session: 1, count: 2 }], ids });
  const answer = encodeAnswer({ epoch, verdicts: [known, 'storing'], moved: false });
  const hint = encodeHint(['a', 'b']);
  const refused = (read: () => unknown): void =>
    assert.throws(read, (error) => isCodrError(error, 'format-unknown'));
  for (const message of [question, hint]) {
    for (let end = 0; end < message.length; end++)
      refused(() => decodeMessage(message.subarray(0, end)));
    refused(() => decodeMessage(Buffer.concat([message, Buffer.of(0)])));
  }
  for (let end = 0; end < answer.length; end++)
    refused(() => decodeAnswer(answer.subarray(0, end), 2));
  refused(() => decodeAnswer(answer, 1));
  refused(() => decodeAnswer(answer, 3));
  refused(() => decodeMessage(Uint8Array.of(9)));
  const many = [{ session: 1, count: batchMax + 1 }];
  const tooMany = new Uint8Array((batchMax + 1) * fingerprintBytes);
  refused(() => decodeMessage(encodeQuestion({ epoch, askers: many, ids: tooMany })));
});
