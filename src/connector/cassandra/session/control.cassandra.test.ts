import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { sharedNode } from '../../../../test/harness/cassandra.ts';
import { archiveFlags } from '../../../../test/harness/class-archive.ts';
import { isCodrError } from '../../../base/error.ts';
import { jvmFlags } from '../../../node/demo/cassandra-jvm.ts';
import type { NodeControl } from './control.ts';
import { CutWorld } from './cut-world.fixture.ts';
import { NodetoolControl } from './nodetool-control.ts';
import { readRing } from './ring.ts';

const shared = sharedNode();
const call = { signal: new AbortController().signal };

async function controls(world: CutWorld): Promise<[jolokia: NodeControl, nodetool: NodeControl]> {
  const { program } = world.cluster;
  const flags = (await jvmFlags(program)).filter((flag) => !flag.startsWith('-javaagent'));
  const path = join(program.lib, '*');
  const port = world.cluster.jmxPort(1);
  const command = [
    ...[program.java, ...flags, ...(await archiveFlags(program)), '-XX:TieredStopAtLevel=1'],
    ...['-XX:+UseSerialGC', '-cp', path],
    ...['org.apache.cassandra.tools.NodeTool', '-p', port],
  ];
  const nodetool = new NodetoolControl('here', command.map((word) => `'${word}'`).join(' '));
  return [world.node(1).control, nodetool];
}

test('nodetool and Jolokia say the same of a node', async () => {
  await using world = await CutWorld.open(await shared(), 'same');
  const [jolokia, nodetool] = await controls(world);
  const [one, two] = [await jolokia.identity(call), await nodetool.identity(call)];
  assert.deepEqual({ ...two, jvmStartMs: 0 }, { ...one, jvmStartMs: 0 });
  assert.ok(Math.abs((one.jvmStartMs ?? 0) - (two.jvmStartMs ?? 0)) < 60_000);
  assert.deepEqual(await nodetool.liveNodes(call), await jolokia.liveNodes(call));
  const sorted = async (control: NodeControl) =>
    [...(await control.members(call))].map(([id, node]) => [
      id,
      node.address,
      node.tokens.toSorted(),
    ]);
  assert.deepEqual(await sorted(nodetool), await sorted(jolokia));
  const ring = await readRing(world.cql, [jolokia], call.signal);
  const rows = ring.nodes.map((node) => [node.hostId, node.address, node.tokens.toSorted()]);
  assert.deepEqual(await sorted(jolokia), rows);
  assert.equal(ring.disputed, undefined);
  assert.deepEqual(await jolokia.movingNodes(call), []);
  assert.deepEqual(await nodetool.movingNodes(call), []);
  assert.equal(await nodetool.pendingCompactions(call), await jolokia.pendingCompactions(call));
  assert.equal(await jolokia.streamedBytes(call), 0);
  assert.deepEqual(await jolokia.dataDirectories(call), [world.path(1)]);
  await nodetool.setIncrementalBackups(true, call);
  assert.deepEqual(
    [await nodetool.incrementalBackups(call), await jolokia.incrementalBackups(call)],
    [true, true],
  );
  await jolokia.setIncrementalBackups(false, call);
  assert.equal(await nodetool.incrementalBackups(call), false);
});

test('requests that wait for a thread are seen through Jolokia, and nothing waits in the end', async () => {
  await using world = await CutWorld.open(await shared(), 'busy');
  const { control } = world.node(1);
  const strain = async () => {
    assert.ok(control.strain);
    return await control.strain(call);
  };
  await Promise.all(Array.from({ length: 2000 }, (_, k) => world.write(k)));
  // Far more work for the server than for who asks.
  const counts = Array.from({ length: 300 }, () => world.run('SELECT count(*) FROM busy.t'));
  let isDone = false;
  const ended = Promise.all(counts).finally(() => (isDone = true));
  let most = 0;
  while (!isDone) most = Math.max(most, (await strain()).waiting);
  await ended;
  assert.ok(most > 0);
  const last = await strain();
  assert.equal(last.waiting, 0);
  assert.ok(Number.isInteger(last.dropped));
});

test('a cut through nodetool reads what one through Jolokia reads, but proves less', async () => {
  await using world = await CutWorld.open(await shared(), 'tooled');
  const [, control] = await controls(world);
  const nodes = [{ ...world.node(1), control }];
  await world.write(1);
  const files = async () =>
    [...(await world.cut({ nodes })).tables.values()].map((one) => one.sstables.length);
  assert.deepEqual(await files(), [1]);
  await world.write(2);
  assert.deepEqual(await files(), [1]);
  await world.cluster.jmx(1).compact('tooled', 't');
  assert.deepEqual(await files(), [1]);
  assert.equal(await control.verify('tooled', ['t'], { extended: true }, call), true);
  await control.invalidateCounterCache(call);
});

test('both refuse a snapshot whose tag exists, and clear one that does not', async () => {
  await using world = await CutWorld.open(await shared(), 'tagged');
  for (const control of await controls(world)) {
    const take = () => control.takeSnapshot('twice', ['tagged.t'], { skipFlush: true }, call);
    await take();
    await assert.rejects(
      take(),
      (error) => isCodrError(error, 'source-unreachable') && /exist/.test(error.message),
    );
    await control.clearSnapshot('twice', call);
    await control.clearSnapshot('never', call);
  }
});

test('a call ends at its deadline, and a cancelled one with the reason of its signal', async () => {
  await using world = await CutWorld.open(await shared(), 'late');
  for (const control of await controls(world)) {
    const server = world.cluster.pid(1);
    process.kill(server, 'SIGSTOP');
    try {
      await assert.rejects(
        control.flush('late', [], { ...call, deadlineMs: 100 }),
        (error) =>
          isCodrError(error, 'source-unreachable') &&
          /did not flush late within/.test(error.message),
      );
    } finally {
      process.kill(server, 'SIGCONT');
    }
    const stop = new Error('stop');
    const cancelled = control.liveNodes({ signal: AbortSignal.abort(stop) });
    await assert.rejects(cancelled, (error) => error === stop);
  }
});

test('an import into a table that is not there is an error', async () => {
  await using world = await CutWorld.open(await shared(), 'imported');
  const folder = join(world.cluster.folder, 'nowhere');
  for (const control of await controls(world)) {
    await assert.rejects(control.importSstables('imported', 'none', [folder], {}, call), (error) =>
      isCodrError(error, 'source-unreachable'),
    );
  }
});
