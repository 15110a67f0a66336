import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedNode } from '../../../../test/harness/cassandra.ts';
import { silentLogger } from '../../../base/log.ts';
import { SeededRandom } from '../../../base/random.ts';
import { MemorySpill } from '../../../base/spill.ts';
import { systemClock } from '../../../node/system-clock.ts';
import { cutConformance } from '../../conformance-cuts.ts';
import { openCutWorld } from '../conformance-world.fixture.ts';
import { CassandraSession } from './cassandra-session.ts';
import { CutWorld } from './cut-world.fixture.ts';
import { linksOwner, markLinks } from './links-owner.ts';

const shared = sharedNode();

/** The cluster as a registered source, `extra` being a node that is not there. */
async function sessionOf(world: CutWorld, extra = {}): Promise<CassandraSession> {
  const { cluster, signal } = world;
  const control = { jolokia: cluster.httpUrl(1) };
  const settings = {
    contactPoints: [...cluster.contactPoints],
    nodes: {
      [cluster.address(1)]: { dataDirectories: [cluster.dataFolder(1)], control },
      ...extra,
    },
  };
  const context = {
    clock: systemClock,
    random: new SeededRandom(1),
    log: silentLogger,
    spill: new MemorySpill(),
    memoryBytesMax: 1 << 24,
    owner: world.keyspace,
  };
  return await CassandraSession.open({ kind: 'cassandra', uri: '', settings }, context, signal);
}

test('a source that goes takes the links that are ours with it, and leaves those of others', async () => {
  await using world = await CutWorld.open(await shared(), 'going');
  await using session = await sessionOf(world);
  const { signal } = world;
  const node = world.node(1);
  const { control } = node;
  await control.setIncrementalBackups(true, { signal });
  assert.deepEqual(await session.release(signal), []);
  assert.equal(await control.incrementalBackups({ signal }), true, 'they were there before us');
  await markLinks(node, 'another');
  assert.deepEqual(await session.release(signal), []);
  assert.equal(await control.incrementalBackups({ signal }), true, 'another source needs them');
  assert.equal((await linksOwner(node, 'another')).is, 'ours');
  await markLinks(node, 'going', { takeOver: true });
  assert.deepEqual(await session.release(signal), []);
  assert.equal(await control.incrementalBackups({ signal }), false);
  assert.deepEqual(await linksOwner(node, 'going'), { is: 'nobody' });
});

test('a node whose files cannot be reached is named with what stays there, and the rest is released', async () => {
  await using world = await CutWorld.open(await shared(), 'partly');
  const { signal } = world;
  const node = world.node(1);
  const { control } = node;
  await control.setIncrementalBackups(true, { signal });
  await markLinks(node, 'partly');
  const away = { dataDirectories: ['/nowhere/data'], control: { jolokia: 'http://127.0.0.1:1/' } };
  await using partly = await sessionOf(world, { '127.0.0.99': away });
  const [finding] = await partly.release(signal);
  assert.equal(finding?.level, 'warning');
  assert.match(finding?.message ?? '', /kept at 127\.0\.0\.99: .*\/nowhere\/data/);
  assert.match(finding?.remedy ?? '', /nodetool disablebackup.*\.codr-links.*codr-cut-/);
  assert.equal(await control.incrementalBackups({ signal }), false);
});

// The one node of this file would be all replicas: cases that stop one have clusters of their own.
cutConformance('cassandra', async () => openCutWorld(await shared()), { withoutStops: true });
