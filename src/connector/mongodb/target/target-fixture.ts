// What the tests of the target share: one set, a login with the rights of the manual, a whole restore.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import type { CollectionInfo, Db, MongoClient } from 'mongodb';
import { connectorContext } from '../../../../test/harness/context.ts';
import { startReplicaSet } from '../../../../test/harness/mongod.ts';
import { type KeyRange, wholeRange } from '../../../model/key-range.ts';
import { parseRename, renamed, scopeHolds } from '../../../model/namespace.ts';
import type { DataRecord, RecordStream } from '../../../model/record.ts';
import type { ReplicaSet } from '../../../node/demo/mongod-server.ts';
import type {
  FinishedItem,
  FinishResult,
  LoadedRange,
  TargetItem,
  TargetOptions,
  TargetPlan,
} from '../../restore-target.ts';
import { mongodbConnector } from '../mongodb-connector.ts';
import { MongodbSession } from '../session/mongodb-session.ts';
import { MongodbTarget } from './mongodb-target.ts';

export let set: ReplicaSet;
export let root: MongoClient;
export let session: MongodbSession;
export const signal = new AbortController().signal;

/** Restores with no more rights than the roles that the manual names. */
export const restorer = { user: 'restorer', password: 'p' };

before(async () => {
  set = await startReplicaSet({ auth: true, parameters: { ttlMonitorSleepSecs: 1 } });
  root = set.clients[0] as MongoClient;
  const admin = root.db('admin');
  await admin.command({ createUser: 'restorer', pwd: 'p', roles: ['restore', 'backup'] });
  await admin.command({ createUser: 'reader', pwd: 'p', roles: ['backup', 'clusterMonitor'] });
  const uri = set.uriAs({ user: 'reader', password: 'p' });
  session = await MongodbSession.open(uri, connectorContext(), signal);
});
after(async () => {
  await session?.[Symbol.asyncDispose]();
  await set?.stop();
});

export interface Outcome {
  readonly plan: TargetPlan;
  readonly finish: FinishResult;
  readonly changed: number;
}

export const defaults = {
  operation: 'op',
  moment: 'then',
  defined: [],
  drop: false,
  ttl: 'keep',
  usersAndRoles: false,
} as const;

export function optionsOf(
  from: string,
  to: string,
  more: Partial<TargetOptions> = {},
): TargetOptions {
  const renames = from === to ? [] : [parseRename(`${from}.*=${to}.*`)];
  return { ...defaults, renames, scope: { include: [`${from}.*`], exclude: [] }, ...more };
}

export async function itemsOf(options: TargetOptions): Promise<TargetItem[]> {
  const { datasets } = await session.survey(signal);
  return datasets
    .filter(({ entry }) => scopeHolds(options.scope, entry.namespace))
    .map(({ entry }) => ({ entry, namespace: renamed(options.renames, entry.namespace) }));
}

export async function* sourceRecords(item: TargetItem): RecordStream {
  const segment = await session.readSegment(item.entry, wholeRange, signal);
  if (segment) yield* segment.batches;
}

export async function all(records: RecordStream): Promise<DataRecord[]> {
  const out: DataRecord[] = [];
  for await (const batch of records) out.push(...batch);
  return out;
}

/** A whole restore, with a proof of every record. */
export async function restore(options: TargetOptions, login = restorer): Promise<Outcome> {
  const items = await itemsOf(options);
  await using target = await MongodbTarget.open(set.uriAs(login), connectorContext(), signal);
  const plan = await target.plan(items, options, signal);
  assert.deepEqual(plan.conflicts, []);
  await target.begin(signal);
  let changed = 0;
  for (const item of items.filter(({ entry }) => entry.role === 'data')) {
    if (plan.finished.some(({ namespace }) => namespace === item.namespace)) continue;
    await target.create(item, signal);
    const loaded = await target.load(item, sourceRecords(item), signal);
    changed += loaded.changedByTarget.length;
    await target.index(item, signal);
    if (loaded.changedByTarget.length === 0) await prove(target, item);
    await target.done(item, { ...finishedBy(item, loaded), proven: true }, signal);
  }
  for (const item of items.filter(({ entry }) => entry.role === 'definitions')) {
    await target.define(item, await all(sourceRecords(item)), signal);
  }
  return { plan, finish: await target.finish(items, signal), changed };
}

export function finishedBy({ namespace }: TargetItem, loaded: LoadedRange): FinishedItem {
  return { namespace, ...loaded, root: 'a1', proven: false };
}

export async function prove(target: MongodbTarget, item: TargetItem): Promise<void> {
  const hex = ({ key, value }: DataRecord): string =>
    `${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`;
  const wanted = (await all(sourceRecords(item))).map((record) =>
    hex({ ...record, value: mongodbConnector.nativeValue(item.entry, record) }),
  );
  const held = (await all(target.readBack(item, wholeRange as KeyRange, signal))).map(hex);
  assert.ok(wanted.join() === held.join(), `${item.namespace} reads back as it was`);
}

/** The server's own hash of each collection, capped ones in natural order. */
export async function hashes(db: Db): Promise<Record<string, string>> {
  return (await db.command({ dbHash: 1 })).collections;
}

/** Options and indexes, without ids. */
export async function shape(db: Db): Promise<unknown[]> {
  const listed = (await db.listCollections().toArray()) as CollectionInfo[];
  const rows = await Promise.all(
    listed.map(async ({ name, type, options }) => {
      const indexes = type === 'view' ? [] : await db.collection(name).indexes();
      return { name, type, options, indexes };
    }),
  );
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}
