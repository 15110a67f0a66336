// Which rows are asked for: as many of each node, the same for the same seed, whatever the order of the ranges.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { once } from '../../../base/async.ts';
import { compareBytes, toHex } from '../../../base/bytes.ts';
import type { DataRecord } from '../../../model/record.ts';
import {
  partitionKeyOf,
  partitionPrefixBytesMax,
  writePartitionPrefix,
} from '../key/record-key.ts';
import { keyKinds } from '../record/record-layout.ts';
import { ProofSample, type SampledWindow, seedOf, windowsPerReplica } from './proof-sample.ts';
import { sampleFromText, sampleToText } from './sample-text.ts';

const hosts = ['a', 'b', 'c'];
const ring = {
  partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
  nodes: hosts.map((hostId, i) => ({
    hostId,
    address: `10.0.0.${i}`,
    nativeAddress: `10.0.0.${i}`,
    datacenter: 'dc',
    rack: 'r',
    tokens: [String(-(2n ** 63n) + 1n + BigInt(i) * 6_000_000_000_000_000_000n)],
  })),
};
const replication = { class: 'SimpleStrategy', replication_factor: '2' };

/** Rows of `count` partitions, ascending; their values say nothing here. */
function table(count: number, rows: number, statics = false, valueBytes = 1): DataRecord[] {
  const records: DataRecord[] = [];
  for (let p = 0; p < count; p++) {
    const raw = Buffer.from(`key ${p}`);
    const prefix = new Uint8Array(partitionPrefixBytesMax);
    const end = writePartitionPrefix(raw, 0, raw.length, prefix, 0);
    const key = (...rest: number[]): Uint8Array =>
      Buffer.concat([prefix.subarray(0, end), Buffer.from(rest)]);
    const value = new Uint8Array(valueBytes);
    if (statics) records.push({ key: key(keyKinds.static), value });
    for (let r = 0; r < rows; r++) {
      records.push({ key: key(keyKinds.clustering, 0x40, r, 0x38), value });
    }
  }
  return records.sort((x, y) => compareBytes(x.key, y.key));
}

async function watched(seed: number, ...ranges: readonly (readonly DataRecord[])[]) {
  const sample = new ProofSample({ ring, replication, seed, hostIds: hosts });
  for (const records of ranges) {
    for await (const batch of sample.watch(once(records))) assert.ok(batch.length > 0);
  }
  return sample;
}

const keysOf = (windows: readonly SampledWindow[]): string[] =>
  windows.map(
    ({ partitionKey, rows }) => `${Buffer.from(partitionKey)} ${rows.map(({ key }) => toHex(key))}`,
  );

test('each node is asked for as many windows, and for those it is the first owner of besides', async () => {
  const sample = await watched(1, table(300, 3));
  for (const host of hosts) {
    const { own, first } = sample.windowsOf(host);
    assert.equal(own.length, windowsPerReplica);
    assert.ok(first.length > 0 && first.length <= windowsPerReplica);
    assert.equal(new Set(keysOf([...own, ...first])).size, own.length + first.length);
  }
});

test('one seed chooses the same windows whatever the order of the ranges, another seed chooses others', async () => {
  const all = table(200, 4);
  const cut = 4 * 90;
  const whole = await watched(5, all);
  const parts = await watched(5, all.slice(cut), all.slice(0, cut));
  const other = await watched(seedOf('another', 'k', 't'), all);
  for (const host of hosts) {
    assert.deepEqual(keysOf(parts.windowsOf(host).own), keysOf(whole.windowsOf(host).own));
    assert.notDeepEqual(keysOf(other.windowsOf(host).own), keysOf(whole.windowsOf(host).own));
  }
});

test('ranges that other processes watch are asked for as if they were watched here', async () => {
  const all = table(200, 4, true);
  const cut = 5 * 90;
  const whole = await watched(5, all);
  const own = await watched(5, all.slice(cut));
  const other = await watched(5, all.slice(0, cut));
  const told = JSON.parse(JSON.stringify(sampleToText(3, other.kept())));
  own.adopt(sampleFromText(told), told.passedOver);
  assert.equal(own.passedOver, 3);
  for (const host of hosts) {
    const [found, wanted] = [own, whole].map((one) => one.windowsOf(host));
    assert.deepEqual(keysOf(found?.own ?? []), keysOf(wanted?.own ?? []));
    assert.deepEqual(keysOf(found?.first ?? []), keysOf(wanted?.first ?? []));
    assert.deepEqual(
      found?.own.map(({ staticRow }) => toHex(staticRow?.key ?? new Uint8Array(0))),
      wanted?.own.map(({ staticRow }) => toHex(staticRow?.key ?? new Uint8Array(0))),
    );
  }
});

test('a window holds rows of one partition that follow each other, and the partition’s static row', async () => {
  const all = table(50, 5, true);
  const sample = await watched(3, all);
  const keys = all.map(({ key }) => toHex(key));
  const windows = hosts.flatMap((host) => sample.windowsOf(host).own);
  assert.ok(windows.some(({ rows }) => rows.length === 5));
  assert.ok(windows.some(({ rows }) => rows.length === 0));
  for (const { rows, staticRow, partitionKey } of windows) {
    const raw = Buffer.from(partitionKey).toString();
    assert.match(raw, /^key \d+$/);
    assert.ok(rows.length > 0 || staticRow);
    const places = rows.map(({ key }) => keys.indexOf(toHex(key)));
    assert.deepEqual(
      places,
      places.map((_, i) => (places[0] as number) + i),
    );
  }
});

test('rows that are too large are not held, and counted', async () => {
  const records = table(3, 1, false, 8 * 1024 * 1024);
  const sample = await watched(1, records);
  assert.deepEqual(
    hosts.flatMap((host) => sample.windowsOf(host).own),
    [],
  );
  assert.equal(sample.passedOver, 3);
});

test('rows whose static row is too large to be held are not asked for, since each is shown with it', async () => {
  const value = new Uint8Array(1024 * 1024);
  const isLarge = ({ key }: DataRecord): boolean =>
    key.at(-1) === keyKinds.static &&
    /^key \d$/.test(String(Buffer.from(partitionKeyOf(key) ?? [])));
  const records = table(20, 3, true).map((one) => (isLarge(one) ? { ...one, value } : one));
  assert.equal(records.filter(({ value: { length } }) => length === value.length).length, 10);
  const sample = await watched(1, records);
  const asked = hosts.flatMap((host) => sample.windowsOf(host).own);
  assert.ok(asked.length > 0 && sample.passedOver > 0);
  for (const { partitionKey } of asked)
    assert.match(String(Buffer.from(partitionKey)), /^key 1\d$/);
});
