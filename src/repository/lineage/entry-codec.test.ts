import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goldenText } from '../../../test/golden-file.ts';
import { toHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import { createFixture, openFixture } from '../collect/repository-fixture.ts';
import { fixedKeys } from '../pack/pack-fixture.ts';
import { decodeEntry, type EntryContext, encodeEntry, type LineageEntry } from './entry-codec.ts';
import { entryName } from './lineage.ts';

const context: EntryContext = {
  repositoryId: '0123456789abcdef'.repeat(2),
  lineage: 'ab'.repeat(16),
  keys: fixedKeys,
};
const salt = new SeededRandom(21).bytes(32);

/** Every field; short, so that it is stored plain and no version of zstd changes its bytes. */
const entry: LineageEntry = {
  seq: 258,
  parent: 'cd'.repeat(32),
  nonce: 'ef'.repeat(16),
  writer: 'here/1',
  wallMs: 1_700_000_000_000,
  stateSeq: 258,
  state: { root: '12'.repeat(32), height: 1, records: 2, bytes: 30 },
  changes: [
    ['writer/current', { pid: 1 }],
    ['run/000000000001', null],
  ],
};
const attachments = [Buffer.from('a run'), Buffer.from('another')];

test('an entry of version 1 is written and opened as it was', async () => {
  const made = `${toHex(encodeEntry(context, entry, attachments, salt))}\n`;
  const wanted = await goldenText('lineage-entry.hex', made);
  assert.equal(made, wanted);
  const opened = decodeEntry(context, 'x', Buffer.from(wanted.trim(), 'hex'));
  assert.deepEqual(opened.entry, entry);
  assert.equal(Buffer.from(opened.attachments).toString(), 'a runanother');
});

test('entries and packs of one epoch and salt have keys of their own', () => {
  assert.notDeepEqual(fixedKeys.entryKey(1, salt), fixedKeys.packKey(1, salt));
  assert.throws(
    () => fixedKeys.entryKey(2, salt),
    (error) => isCodrError(error, 'object-missing'),
  );
});

test('an entry of one lineage does not open in another', () => {
  const bytes = encodeEntry(context, entry, attachments, salt);
  assert.throws(
    () => decodeEntry({ ...context, lineage: 'ba'.repeat(16) }, 'x', bytes),
    (error) => isCodrError(error, 'object-damaged'),
  );
});

test('the attachments of an entry that stands in the place of another are refused', async () => {
  const store = new MemoryObjectStore();
  await createFixture(store, 1);
  const lineage = await (await openFixture(store, { seed: 2 })).openLineage('aa');
  for (const run of ['run a', 'run b', 'run c']) {
    await lineage.commit((draft): undefined => {
      draft.attach(Buffer.from(run));
      draft.set('counter/n', run);
    });
  }
  const reader = await (await openFixture(store, { seed: 3 })).openLineage('aa');
  const other = await store.get(entryName('aa', 1));
  await store.remove(entryName('aa', 0));
  await store.create(entryName('aa', 0), [other]);
  assert.equal(Buffer.from(await reader.attachments(1)).toString(), 'run b');
  await assert.rejects(reader.attachments(0), (error) => isCodrError(error, 'lineage-broken'));
});
