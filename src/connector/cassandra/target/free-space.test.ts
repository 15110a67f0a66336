// A node that surely has too little room is named before anything is written.
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { localFiles } from '../session/local-files.ts';
import { testSchema } from '../sstable/write-records.fixture.ts';
import { checkSpace, neededBytes } from './free-space.ts';

const ring = {
  partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
  nodes: ['0', String(2n ** 62n)].map((token, i) => ({
    ...{ hostId: `h${i}`, address: `n${i}`, nativeAddress: `n${i}`, datacenter: 'd', rack: 'r' },
    tokens: [token],
  })),
};

function needs(factor: number, bytes?: number): Map<string, number> {
  const table = {
    item: { namespace: 'k.t', entry: {}, ...(bytes !== undefined && { bytes }) },
    body: { schema: { ...testSchema({}), compression: {} } },
    replication: { class: 'SimpleStrategy', replication_factor: String(factor) },
  };
  return neededBytes([table] as never, ring);
}

test('each node needs its share of a table, and all of it where it is a replica of all', () => {
  assert.deepEqual([...needs(2, 4000)].sort(), [
    ['h0', 2000],
    ['h1', 2000],
  ]);
  // Tokens after 0 up to 2^62 are a quarter of the ring.
  assert.deepEqual([...needs(1, 4000)].sort(), [
    ['h0', 1500],
    ['h1', 500],
  ]);
  assert.deepEqual([...needs(2)], []);
});

test('a node with too little room is named with what it needs and has', async () => {
  const place = { files: localFiles, dataDirectories: [tmpdir(), tmpdir()] };
  const nodes = new Map([['h0', { address: 'n0', ...place }]]);
  await checkSpace(nodes, new Map([['h0', 1]]));
  await assert.rejects(checkSpace(nodes, new Map([['h0', 2 ** 70]])), {
    code: 'target-unfit',
    message: /^n0: at least \d+ MiB are needed, \d+ MiB are free$/,
  });
});
