import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Operation } from '../../api/operations.ts';
import { endSequence, translated, translatedEvent } from './operation-events.ts';

const running = { id: 'local', kind: 'backup', state: 'running' } as Operation;
const progress = { phase: 'following', records: 1, bytes: 1, seconds: 1 };

test('whatever an owner reports stands below its end, and its end below all of the next owner', () => {
  const first = { claim: 7 };
  const event = (sequence: number) =>
    translatedEvent('x', first, { sequence, at: '', progress }).sequence;
  // Three reports a second for a month.
  const months = [1, 2, 999_998, 1_000_000, 8_000_000].map(event);
  assert.deepEqual(
    months,
    [...months].sort((a, b) => a - b),
  );
  const changed: Operation = { ...running, state: 'done', sequence: 8_000_001 };
  const end = translatedEvent('x', first, { sequence: 8_000_001, at: '', changed });
  assert.ok(end.sequence > (months.at(-1) ?? 0));
  assert.deepEqual([end.changed?.id, end.changed?.sequence], ['x', end.sequence]);
  assert.equal(end.sequence, endSequence(first));
  assert.ok(end.sequence < translated('x', { claim: 8 }, { ...running, sequence: 1 }).sequence);
});
