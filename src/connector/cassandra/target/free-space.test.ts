// A node that surely has too little room is named before anything is written.
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import type { FileAccess, FileFacts } from '../../../base/file-access.ts';
import type { TargetItem } from '../../restore-target.ts';
import { tokenPrefix } from '../key/record-key.ts';
import type { CqlSession } from '../session/cql.ts';
import { localFiles } from '../session/local-files.ts';
import { testSchema } from '../sstable/write-records.fixture.ts';
import { checkSpace, checkSpaceFor, neededBytes } from './free-space.ts';
import type { Making } from './target-plan.ts';

const ring = {
  partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
  nodes: ['0', String(2n ** 62n)].map((token, i) => ({
    ...{ hostId: `h${i}`, address: `n${i}`, nativeAddress: `n${i}`, datacenter: 'd', rack: 'r' },
    tokens: [token],
  })),
};

const table = (factor: number, item: Partial<TargetItem>, making: Making = 'new') => ({
  item: { namespace: 'k.t', entry: {} as never, ...item },
  body: { schema: { ...testSchema({}), compression: {} } } as never,
  replication: { class: 'SimpleStrategy', replication_factor: String(factor) },
  making,
});

function needs(factor: number, item: Partial<TargetItem>) {
  const { least, most } = neededBytes([table(factor, item)], ring);
  return { least: [...least].sort(), most: [...most].sort() };
}

test('each node needs its share of a table, and all of it where it is a replica of all', () => {
  const whole = needs(2, { bytes: 4000 });
  assert.deepEqual(whole.least, [
    ['h0', 2000],
    ['h1', 2000],
  ]);
  assert.deepEqual(whole.most, whole.least);
  // Tokens after 0 up to 2^62 are a quarter of the ring.
  assert.deepEqual(needs(1, { bytes: 4000 }).least, [
    ['h0', 1500],
    ['h1', 500],
  ]);
  assert.deepEqual(needs(2, {}).least, []);
});

test('of a part of a table each node needs what lies in its tokens, and nothing of a single key', () => {
  const upper = { bytes: 4000, within: [{ from: tokenPrefix(0n) }] };
  // From 0 to 2^62 is half of the upper half of the ring.
  assert.deepEqual(needs(1, upper).least, [
    ['h0', 500],
    ['h1', 500],
  ]);
  const key = tokenPrefix(7n);
  const one = needs(1, { bytes: 4000, within: [{ from: key, to: Buffer.concat([key, key]) }] });
  assert.deepEqual(
    one.least.map(([, bytes]) => Math.round(bytes)),
    [0, 0],
  );
});

test('what has changed since the base copy may be needed, and is told where it does not fit', async () => {
  const { least, most } = needs(2, { bytes: 4000, laterBytes: 400 });
  assert.deepEqual(
    [least[0], most[0]],
    [
      ['h0', 2000],
      ['h0', 2200],
    ],
  );
  const nodes = new Map([['h0', { address: 'n0', files: roomOf(2100), dataDirectories: ['/d'] }]]);
  const told = await checkSpace(nodes, { least: new Map(least), most: new Map(most) });
  assert.deepEqual(told, ['n0: 0 MiB may be needed with all later changes, 0 MiB are free']);
});

test('a table that is replaced needs its room beside what it was, unless no node keeps what is dropped', async () => {
  const auto = { value: 'true' };
  const cql = { rows: async () => [auto] } as Pick<CqlSession, 'rows'>;
  const nodes = new Map([
    ['h0', { address: 'n0', nativeAddress: 'n0', files: roomOf(100), dataDirectories: ['/d'] }],
  ]);
  const replaced = [table(2, { bytes: 4000 }, 'replace')];
  const check = () => checkSpaceFor(replaced, { nodes, ring, cql }, new AbortController().signal);
  await assert.rejects(check(), { code: 'target-unfit', object: 'n0' });
  auto.value = 'false';
  assert.deepEqual(await check(), []);
});

const roomOf = (bytes: number): FileAccess => ({
  ...localFiles,
  freeBytes: async () => bytes,
  stat: async () => ({ device: '1' }) as FileFacts,
});

test('a node with too little room is named with what it needs and has', async () => {
  const place = { files: localFiles, dataDirectories: [tmpdir(), tmpdir()] };
  const nodes = new Map([['h0', { address: 'n0', ...place }]]);
  const one = new Map([['h0', 1]]);
  const huge = new Map([['h0', 2 ** 70]]);
  assert.deepEqual(await checkSpace(nodes, { least: one, most: one }), []);
  await assert.rejects(checkSpace(nodes, { least: huge, most: huge }), {
    code: 'target-unfit',
    message: /^n0: at least \d+ MiB are needed, \d+ MiB are free$/,
  });
});
