// What a look at the files of a table leaves on its nodes, and what it says of files that are damaged.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodrError } from '../../../base/error.ts';
import { silentLogger } from '../../../base/log.ts';
import { wholeRange } from '../../../model/key-range.ts';
import { systemClock } from '../../../node/system-clock.ts';
import type { TargetItem } from '../../restore-target.ts';
import { localFiles } from '../session/local-files.ts';
import { testSchema } from '../sstable/write-records.fixture.ts';
import { FrozenTables, type FrozenTablesOptions } from './frozen-tables.ts';
import type { TargetNode } from './target-nodes.ts';

const { signal } = new AbortController();
const schema = testSchema({});
const item = { namespace: 'k.t' } as TargetItem;
const replication = { class: 'SimpleStrategy', replication_factor: '2' };
const hosts = ['a', 'b'];
const members = hosts.map((hostId, i) => {
  const at = { hostId, address: hostId, nativeAddress: hostId, tokens: [String(i)] };
  return { ...at, datacenter: 'd', rack: 'r' };
});

/** `fails`: what a node is asked for, as `take a`; of clearing what comes after a look has begun. */
function world(fails: readonly string[] = []) {
  const asked: string[] = [];
  const ask = (what: string) => async (): Promise<void> => {
    await Promise.resolve();
    const isBegun = asked.some((one) => one.startsWith('take'));
    asked.push(what);
    const isLate = what.startsWith('take') || isBegun;
    if (isLate && fails.includes(what)) throw new CodrError('source-unreachable', `no ${what}`);
  };
  const nodes = members.map((member) => ({
    ...{ ...member, files: localFiles, dataDirectories: [] },
    control: {
      verify: async () => true,
      takeSnapshot: ask(`take ${member.hostId}`),
      clearSnapshot: ask(`clear ${member.hostId}`),
    },
  }));
  const tables = {
    ...{ planned: { word: 'w', options: {} }, idOf: () => schema.id },
    tableOf: () => ({ body: { schema }, keyspace: 'k', table: 't', replication }),
  };
  const reader = {
    // biome-ignore lint/correctness/useYield: it only fails
    read: async function* () {
      throw new CodrError('file-damaged', 'a chunk of it', { object: '/data/nb-1' });
    },
  };
  const frozen = new FrozenTables({
    ...{ tables, reader, context: { clock: systemClock, log: silentLogger } },
    ring: { nodes: members, partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner' },
  } as unknown as FrozenTablesOptions);
  return { asked, frozen, nodes: nodes as unknown as TargetNode[] };
}

test('a look that fails leaves no snapshot on any node, also where one of them does not answer', async () => {
  const faults = [['rest'], ['take a'], ['rest', 'clear a'], ['take b', 'clear b']];
  for (const fails of faults) {
    const { asked, frozen, nodes } = world(fails);
    const rest = async (): Promise<void> => {
      if (fails.includes('rest')) throw new CodrError('target-unfit', 'a node moves');
    };
    await assert.rejects(frozen.freeze(item, { nodes, rest }, signal), { code: 'target-unfit' });
    const after = asked.slice(asked.findLastIndex((one) => one.startsWith('take')) + 1);
    assert.deepEqual(after.sort(), ['clear a', 'clear b'], String(fails));
  }
});

test('a damaged file of the target is a proof that failed, so that the table is made anew', async () => {
  const { asked, frozen, nodes } = world();
  await frozen.freeze(item, { nodes, rest: async () => {} }, signal);
  const reading = async (): Promise<void> => {
    for await (const _ of frozen.readBack(item, wholeRange, signal)) assert.fail();
  };
  await assert.rejects(reading, { code: 'proof-failed', object: '/data/nb-1', exitCode: 6 });
  await frozen.thawAll(signal);
  assert.deepEqual(asked.slice(-2).sort(), ['clear a', 'clear b']);
});
