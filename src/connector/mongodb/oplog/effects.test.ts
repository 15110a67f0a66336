import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Binary, BSON, type Document, Timestamp } from 'mongodb';
import { MemorySpill } from '../../../base/spill.ts';
import { changeKinds } from '../../../model/change.ts';
import { datasetId, streamId } from '../../../model/id.ts';
import type { ChangeBatch } from '../../connector.ts';
import { TransactionAssembler } from './transaction-assembler.ts';

const uuid = '0123456789abcdef0123456789abcdef';
const ui = new Binary(Buffer.from(uuid, 'hex'), 4);

async function effectsOf(...entries: Document[]): Promise<ChangeBatch> {
  await using assembler = new TransactionAssembler({
    ...{ stream: streamId('rs'), spill: new MemorySpill(), heldBytesMax: 1000, capped: new Set() },
    through: { time: 0n, term: 0n },
  });
  const raw = entries.map((entry, i) =>
    BSON.serialize({ ts: new Timestamp({ t: i + 1, i: 1 }), t: 1, v: 2, ui, ...entry }),
  );
  let last: ChangeBatch | undefined;
  for await (const batch of assembler.consume(raw)) last = batch;
  return last as ChangeBatch;
}

test('what a version does not know is named with its dataset and kept raw', async () => {
  const { unknown, changes } = await effectsOf(
    { op: 'zz', ns: 'app.a', o: {} },
    { op: 'c', ns: 'app.$cmd', o: { frobnicate: 'a' } },
    { op: 'u', ns: 'app.a', o: { $v: 3, diff: {} }, o2: { _id: 1 } },
  );
  assert.deepEqual(changes, []);
  assert.deepEqual(
    unknown.map(({ name, dataset }) => [name, dataset]),
    ['op "zz"', 'command "frobnicate"', 'update of version 3'].map((name) => [name, uuid]),
  );
  assert.equal(BSON.deserialize(unknown[1]?.body as Uint8Array).o.frobnicate, 'a');
});

test('notes, index builds that only begin, and what a node keeps for itself have no effect', async () => {
  const { unknown, changes, catalog } = await effectsOf(
    { op: 'n', ns: '', o: { msg: 'periodic noop' } },
    { op: 'c', ns: 'app.$cmd', o: { startIndexBuild: 'a', indexes: [] } },
    { op: 'i', ns: 'config.transactions', o: { _id: 1 } },
    { op: 'zz', ns: 'config.anything', o: {} },
    { op: 'i', ns: 'admin.system.keys', o: { _id: 1 } },
    { op: 'i', ns: 'app.system.profile', o: { _id: 1 } },
  );
  assert.deepEqual([unknown, changes, catalog], [[], [], []]);
});

test('users, views, buckets and temporary collections are followed, marked as migrated or not', async () => {
  const names = [
    'admin.system.users',
    'app.system.views',
    'app.system.buckets.t',
    'app.tmp.agg_out.1',
  ];
  const entries = names.map((ns) => ({ op: 'i', ns, o: { _id: ns }, fromMigrate: true }));
  assert.equal((await effectsOf(...entries)).changes.length, names.length);
});

test('a rename over another collection is the drop of that one, then the rename', async () => {
  const over = 'fedcba9876543210fedcba9876543210';
  const dropTarget = new Binary(Buffer.from(over, 'hex'), 4);
  const o = { renameCollection: 'app.a', to: 'app.b', stayTemp: false, dropTarget };
  const applyOps = [{ op: 'c', ns: 'app.$cmd', ui, o }];
  const { catalog } = await effectsOf(
    { op: 'c', ns: 'app.$cmd', o },
    { op: 'c', ns: 'admin.$cmd', o: { applyOps } },
  );
  const told = [
    ['drop', over, 0],
    ['renameCollection', uuid, 1],
  ];
  assert.deepEqual(
    catalog.map(({ kind, dataset, index }) => [kind, dataset, index]),
    [...told, ...told],
  );
});

test('an update with _id is a replacement, one without is a difference', async () => {
  const { changes } = await effectsOf(
    { op: 'u', ns: 'app.a', o: { x: 1, _id: 5, $v: 2 }, o2: { _id: 5 } },
    { op: 'u', ns: 'app.a', o: { $v: 2, diff: { d: { x: false } } }, o2: { _id: 5 } },
    { op: 'u', ns: 'app.a', o: { $set: { x: 1 } }, o2: { _id: 5 } },
  );
  const { put, patch } = changeKinds;
  assert.deepEqual(
    changes.map(({ kind }) => kind),
    [put, patch, patch],
  );
  const stored = BSON.deserialize(changes[0]?.value as Uint8Array);
  assert.deepEqual(Object.keys(stored), ['_id', 'x', '$v']);
});

test('several operations of one entry share its position and differ in their place', async () => {
  const operation = (op: string): Document => ({ op, ns: 'app.a', ui, o: { _id: 1 } });
  const applyOps = [operation('d'), operation('i')];
  const { changes } = await effectsOf({ op: 'c', ns: 'admin.$cmd', o: { applyOps, lsid: {} } });
  const places = changes.map(({ dataset, index, time }) => [dataset, index, time]);
  const time = (1n << 32n) | 1n;
  assert.deepEqual(places, [
    [datasetId(uuid), 0, time],
    [datasetId(uuid), 1, time],
  ]);
});
