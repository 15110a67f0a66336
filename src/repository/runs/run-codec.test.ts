import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goldenText } from '../../../test/golden-file.ts';
import { toHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { changeKinds } from '../../model/change.ts';
import { datasetId, packId, streamId } from '../../model/id.ts';
import { lastTime } from '../../model/time.ts';
import { decodeIndex, encodeIndex, type IndexEntry } from './block-index.ts';
import { BlockEncoder, decodeBlock } from './run-codec.ts';
import { change, randomChange } from './run-fixture.ts';
import { decodeRunRef, encodeRunRef, type RunRef } from './run-ref.ts';
import { sortChanges } from './run-writer.ts';

/** One of each field that a change can leave out, and each that it can carry. */
function goldenChanges() {
  const transaction = {
    time: 0x6740_0001_0000_0002n,
    position: { time: 0x6740_0003_0000_0001n, term: 7n },
  };
  return [
    change({ key: new Uint8Array(0), kind: changeKinds.clear, value: new Uint8Array(0), time: 5n }),
    change({ name: 'apple', time: 0x6740_0000_0000_0001n }),
    change({ name: 'apple', ...transaction, index: 3, kind: changeKinds.patch }),
    change({ name: 'apricot', time: 4n, kind: changeKinds.delete, value: new Uint8Array(0) }),
    change({ dataset: datasetId('d2'), name: 'apricot', stream: streamId('s2'), time: lastTime }),
  ];
}

function encoded(changes: ReturnType<typeof goldenChanges>): Uint8Array {
  const encoder = new BlockEncoder();
  for (const each of changes) encoder.add(each);
  return encoder.finish();
}

const plain = (changes: readonly object[]) =>
  changes.map((each) =>
    Object.entries(each)
      .map(([k, v]) => [k, v instanceof Uint8Array ? toHex(v) : v])
      .sort(),
  );

/** Compares with the golden file, and gives its bytes. */
async function goldenBytes(file: string, made: Uint8Array): Promise<Uint8Array> {
  const wanted = await goldenText(file, `${toHex(made)}\n`);
  assert.equal(toHex(made), wanted.trim());
  return Buffer.from(wanted.trim(), 'hex');
}

test('an index block of format 1 has the bytes of the golden file', async () => {
  const times = { minTime: 3n, maxTime: 0x6740_0000_0000_0001n };
  const [d1, d2, pack] = [datasetId('d1'), datasetId('d2'), packId('ab'.repeat(32))];
  const entries: IndexEntry[] = [
    {
      dataset: d1,
      key: Buffer.from('apple'),
      ...times,
      ref: { pack, frame: 258 },
      digest: 'c1'.repeat(16),
    },
    {
      dataset: d1,
      key: Buffer.from('apricot'),
      ...times,
      ref: { pack, frame: 0 },
      digest: 'c2'.repeat(16),
    },
    {
      dataset: d2,
      key: Buffer.from('fig'),
      ...times,
      ref: { offset: 300, length: 7 },
      digest: 'c3'.repeat(16),
    },
  ];
  const stored = await goldenBytes('run-index.hex', encodeIndex(entries));
  assert.deepEqual(plain(decodeIndex(stored)), plain(entries));
});

test('a descriptor of format 1 has the bytes of the golden file', async () => {
  const ref: RunRef = {
    id: '0f'.repeat(16),
    records: 300,
    rawBytes: 70_000,
    minTime: 3n,
    maxTime: 0x6740_0000_0000_0001n,
    tier: 1,
    levels: 2,
    root: { pack: packId('ab'.repeat(32)), frame: 258 },
    rootDigest: 'c4'.repeat(16),
  };
  const inline: RunRef = { ...ref, levels: 0, root: { offset: 5, length: 300 } };
  const stored = await goldenBytes('run-ref.hex', encodeRunRef(ref));
  const storedInline = await goldenBytes('run-ref-inline.hex', encodeRunRef(inline));
  assert.deepEqual(decodeRunRef(stored), ref);
  assert.deepEqual(decodeRunRef(storedInline), inline);
});

test('a block of format 1 has the bytes of the golden file', async () => {
  const hex = toHex(await goldenBytes('run-block.hex', encoded(goldenChanges())));
  assert.deepEqual(plain(decodeBlock(Buffer.from(hex, 'hex'))), plain(goldenChanges()));
});

test('any sorted changes come back from a block as they went in', () => {
  const random = new SeededRandom(11);
  for (let round = 0; round < 60; round++) {
    const changes = sortChanges(
      Array.from({ length: 1 + random.below(80) }, () => randomChange(random)),
    );
    assert.deepEqual(plain(decodeBlock(encoded(changes))), plain(changes), `round ${round}`);
  }
});

test('an encoder that has finished a block begins the next one anew', () => {
  const encoder = new BlockEncoder();
  for (const each of goldenChanges()) encoder.add(each);
  encoder.finish();
  encoder.add(change({ name: 'b', time: 9n }));
  assert.deepEqual(encoder.finish(), encoded([change({ name: 'b', time: 9n })]));
});

test('a block that was cut short or changed is refused or differs, and never crashes the reader', () => {
  const whole = encoded(goldenChanges());
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => decodeBlock(whole.subarray(0, length)),
      (error) => isCodrError(error),
    );
  }
  for (let at = 0; at < whole.length; at++) {
    const bent = Uint8Array.from(whole);
    bent[at] = (bent[at] as number) ^ 0x81;
    try {
      assert.notDeepEqual(plain(decodeBlock(bent)), plain(goldenChanges()));
    } catch (error) {
      if (!isCodrError(error)) throw error;
    }
  }
});

test('a block of a later format is refused as unknown, not as damaged', () => {
  const block = Uint8Array.from(encoded(goldenChanges()));
  block[0] = 2;
  assert.throws(
    () => decodeBlock(block),
    (error) => isCodrError(error, 'format-unknown'),
  );
});

test('a descriptor comes back as it was and stays under 1 KiB with the largest numbers', () => {
  const ref: RunRef = {
    id: 'f'.repeat(32),
    records: Number.MAX_SAFE_INTEGER,
    rawBytes: Number.MAX_SAFE_INTEGER,
    minTime: 1n,
    maxTime: lastTime,
    tier: 9,
    levels: 4,
    root: { pack: packId('a'.repeat(64)), frame: 2 ** 32 - 1 },
    rootDigest: 'e'.repeat(32),
  };
  const bytes = encodeRunRef(ref);
  assert.ok(bytes.length < 1024);
  assert.deepEqual(decodeRunRef(bytes), ref);
  const inline = { ...ref, root: { offset: 7, length: 9 } };
  assert.deepEqual(decodeRunRef(encodeRunRef(inline)), inline);
});
