// Tables of slots as etcd's own history has them: each was written while its writer's term lasted, that is while
// the key `coordinator` stood that the table names as its epoch. Whoever leads may err about that; etcd does not.
import assert from 'node:assert/strict';
import { until } from '../../src/coordination/etcd/etcd.fixture.ts';
import { EtcdChannel } from '../../src/coordination/etcd/etcd-channel.ts';

/** One change of a key, in the order of revisions. */
export interface KeyChange {
  readonly key: string;
  readonly revision: number;
  /** Of the life of the key; absent when it went. */
  readonly created?: number;
  readonly value?: string;
}

interface LifeOfLeader {
  readonly from: number;
  to: number;
}

/** Throws for a table of a term that had ended, had not begun, or never was. How many tables there are. */
export function judgeSlots(changes: readonly KeyChange[]): number {
  const lives: LifeOfLeader[] = [];
  let tables = 0;
  for (const { key, revision, created, value } of changes) {
    const last = lives.at(-1);
    if (key.endsWith('/keys/coordinator')) {
      if (created === undefined) Object.assign(last ?? {}, { to: revision });
      else if (created !== last?.from) lives.push({ from: created, to: Number.POSITIVE_INFINITY });
    } else if (key.endsWith('/keys/slots') && value !== undefined) {
      const { epoch } = JSON.parse(value) as { epoch: { revision: number } };
      const isNow = last?.from === epoch.revision && revision < last.to;
      const now = last && revision < last.to ? `term ${last.from}` : 'nobody';
      assert.ok(isNow, `slots of term ${epoch.revision} at ${revision}, when ${now} leads`);
      tables++;
    }
  }
  return tables;
}

/** All that happened below the prefix in this life of etcd, up to now. */
export async function historyBelow(endpoint: string, prefix: string): Promise<KeyChange[]> {
  const channel = new EtcdChannel(endpoint, undefined, () => Date.now() + 10_000);
  try {
    const mark = Buffer.from(`${prefix}mark-${Date.now()}`);
    const { header } = await channel.kv.put({ key: mark, value: Buffer.from('seen') });
    const newest = Number(header.revision);
    const changes: KeyChange[] = [];
    const stream = await channel.watches.watch();
    stream.on('error', () => {});
    stream.on('data', ({ events }) => {
      for (const { kv } of events) {
        const [revision, created] = [Number(kv.mod_revision), Number(kv.create_revision)];
        const stands = created > 0 && { created, value: `${kv.value}` };
        changes.push({ key: `${kv.key}`, revision, ...stands });
      }
    });
    const range = { key: Buffer.from(prefix), range_end: Buffer.from(`${prefix}\xff`, 'latin1') };
    stream.write({ create_request: { ...range, start_revision: 1 } });
    await until('all of the history came', () => (changes.at(-1)?.revision ?? 0) >= newest);
    stream.cancel();
    return changes;
  } finally {
    channel.close();
  }
}
