import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../base/error.ts';
import { deriveRepositoryKeys } from '../keys/repository-keys.ts';
import { type EntryContext, encodeEntry, type LineageEntry } from './entry-codec.ts';
import { OpenedEntries } from './opened-entries.ts';

const keys = deriveRepositoryKeys(Buffer.alloc(32, 1), new Map([[1, Buffer.alloc(32, 2)]]));
const context: EntryContext = { repositoryId: '00'.repeat(16), lineage: 'one', keys };
const written: LineageEntry = {
  ...{ seq: 3, parent: '', nonce: '', writer: 'a', wallMs: 1, stateSeq: -1 },
  changes: [['base/a', { n: 1 }]],
};
const bytes = encodeEntry(context, written, [Buffer.alloc(10)], Buffer.alloc(32, 3));

test('an entry that was opened before is the same one', () => {
  const entries = new OpenedEntries(1 << 16);
  const first = entries.open(context, 'x', bytes);
  assert.deepEqual(first.entry, written);
  const again = entries.open(context, 'x', Buffer.from(bytes));
  assert.equal(again.entry, first.entry);
  assert.equal(again.hash, first.hash);
});

test('what was opened once opens neither when it is damaged nor in another lineage', () => {
  const entries = new OpenedEntries(1 << 16);
  entries.open(context, 'x', bytes);
  const damaged = Buffer.from(bytes);
  damaged[70] = 1 ^ (damaged[70] as number);
  const isDamaged = (error: unknown): boolean => isCodrError(error, 'object-damaged');
  assert.throws(() => entries.open(context, 'x', damaged), isDamaged);
  assert.throws(() => entries.open({ ...context, lineage: 'two' }, 'x', bytes), isDamaged);
});

test('no more is kept than there is room for', () => {
  const entries = new OpenedEntries(300);
  const { entry } = entries.open(context, 'x', bytes);
  for (let i = 0; i < 4; i++) {
    entries.open(context, 'x', encodeEntry(context, written, [], Buffer.alloc(32, 4 + i)));
  }
  assert.notEqual(entries.open(context, 'x', bytes).entry, entry);
});
