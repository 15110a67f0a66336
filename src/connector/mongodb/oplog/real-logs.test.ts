// Oplogs of several server versions, gathered by others, where they are at hand: every entry is known, and
// transactions that were cut off are named as such.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { BSON } from 'mongodb';
import { MemorySpill } from '../../../base/spill.ts';
import type { Change } from '../../../model/change.ts';
import { changeKinds } from '../../../model/change.ts';
import { streamId } from '../../../model/id.ts';
import { firstTime } from '../../../model/time.ts';
import type { UnknownEntry } from '../../log-doubt.ts';
import { documentEnd } from '../bson/raw-bson.ts';
import { unsnappy } from './snappy.ts';
import { TransactionAssembler } from './transaction-assembler.ts';

const folder = join(import.meta.dirname, '../../../../../shared/data');
const skip = existsSync(folder) ? false : `no data in ${folder}`;

test('every entry of the gathered oplogs is known', { skip }, async () => {
  const files = globSync(['**/*.bson', '**/*.snappy', '**/*.json'], { cwd: folder }).sort();
  assert.ok(files.length > 35, `${files.length} files`);
  let changes = 0;
  for (const file of files) {
    const entries = readEntries(join(folder, file));
    const { unknown, ...rest } = await assemble(entries);
    changes += rest.changes.length;
    const names = new Set(unknown.map(({ name }) => name));
    assert.deepEqual([...names], expectedUnknown[basename(dirname(file))] ?? [], file);
  }
  assert.ok(changes > 1000, `${changes} changes`);
});

/** A dump of a server from before collections had UUIDs. */
const expectedUnknown: Readonly<Record<string, string[]>> = {
  dump_with_noop_in_oplog: ['op "i" without a collection UUID'],
};

test('vectored inserts of 8.0 stand for themselves, each at its own time', { skip }, async () => {
  const base = 'mongo-tools/mongorestore/testdata/oplogs/bson';
  for (const file of ['vectored_insert.bson', 'linked_vectored_inserts.bson']) {
    const entries = readEntries(join(folder, base, file));
    const { changes, unknown } = await assemble(entries);
    assert.deepEqual(unknown, []);
    assert.ok(changes.length > 1, `${changes.length} changes in ${file}`);
    for (const change of changes) {
      assert.equal(change.kind, changeKinds.put);
      assert.equal(change.time, change.position.time);
    }
  }
});

async function assemble(
  entries: Uint8Array[],
): Promise<{ changes: Change[]; unknown: UnknownEntry[] }> {
  await using assembler = new TransactionAssembler({
    stream: streamId('rs'),
    spill: new MemorySpill(),
    heldBytesMax: 1 << 20,
    through: { time: firstTime, term: 0n },
    capped: new Set(),
  });
  const all = { changes: [] as Change[], unknown: [] as UnknownEntry[] };
  for await (const { changes, unknown } of assembler.consume(entries)) {
    all.changes.push(...changes);
    all.unknown.push(...unknown);
  }
  return all;
}

function readEntries(path: string): Uint8Array[] {
  if (path.endsWith('.json')) return readJson(readFileSync(path, 'utf8'));
  const stored = readFileSync(path);
  const bytes = path.endsWith('.snappy') ? unsnappy(stored) : stored;
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = documentEnd(bytes, at);
    entries.push(bytes.subarray(at, end));
    at = end;
  }
  return entries;
}

const oldBinary = /\{"\$binary":"([^"]*)","\$type":"([^"]*)"\}/g;

/** Extended JSON in any shape: all objects in it that look like entries. */
function readJson(text: string): Uint8Array[] {
  const entries: Uint8Array[] = [];
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) value.forEach(collect);
    else if ('ts' in value && 'op' in value) {
      const text = JSON.stringify(value).replaceAll(
        oldBinary,
        '{"$binary":{"base64":"$1","subType":"$2"}}',
      );
      entries.push(BSON.serialize(BSON.EJSON.parse(text, { relaxed: false })));
    } else Object.values(value).forEach(collect);
  };
  let rest: unknown[];
  try {
    rest = [JSON.parse(text)];
  } catch {
    rest = text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
  }
  collect(rest);
  return entries;
}
