import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { sharedCassandra } from '../../../../test/harness/cassandra.ts';
import { systemClock } from '../../../node/system-clock.ts';
import { parseCassandraConfig } from './cassandra-config.ts';
import { type CheckRequest, checkCassandra } from './check-cassandra.ts';
import { CutWorld } from './cut-world.fixture.ts';

const shared = sharedCassandra({ nodes: 3, hints: false });

async function check(
  world: CutWorld,
  numbers: readonly number[],
  more: Partial<CheckRequest> = {},
) {
  const config = parseCassandraConfig({ contactPoints: [...world.cluster.contactPoints] });
  return await checkCassandra({
    cql: world.cql,
    nodes: numbers.map((number) => world.node(number)),
    config,
    owner: world.keyspace,
    scope: (keyspace) => keyspace === world.keyspace,
    clock: systemClock,
    signal: world.signal,
    ...more,
  });
}

test('a cluster that can be captured is fine, node by node, and nothing is left of the probes', async () => {
  await using world = await CutWorld.open(await shared(), 'fine');
  const findings = await check(world, [1, 2, 3]);
  assert.deepEqual(
    findings.map(({ level }) => level),
    ['fine', 'fine', 'fine'],
  );
  const all = await readdir(world.path(1), { recursive: true });
  assert.deepEqual(
    all.filter((path) => /codr/.test(path)),
    [],
  );
});

test('nodes that are not configured are named with the grade that they cost', async () => {
  await using world = await CutWorld.open(await shared(), 'partly');
  const two = await check(world, [1, 2]);
  const [warning] = two.filter(({ level }) => level === 'warning');
  assert.match(warning?.message ?? '', /not configured: 127\.\S+3; .* quorum-safe/);
  const [worse] = (await check(world, [1])).filter(({ level }) => level === 'warning');
  assert.match(worse?.message ?? '', /best-effort/);
});

test('links that are on are an error until a cut of ours, or the configuration, says whose they are', async () => {
  await using world = await CutWorld.open(await shared(), 'whose');
  const { control } = world.node(2);
  await control.setIncrementalBackups(true, { signal: world.signal });
  const [error, ...others] = (await check(world, [1, 2, 3])).filter(
    ({ level }) => level !== 'fine',
  );
  assert.match(error?.message ?? '', /already/);
  assert.deepEqual(others, []);
  const config = parseCassandraConfig({ contactPoints: ['x'], ownsBackups: true });
  const owned = await check(world, [1, 2, 3], { config });
  assert.deepEqual(
    owned.map(({ level }) => level),
    ['fine', 'fine', 'fine'],
  );
  await control.setIncrementalBackups(false, { signal: world.signal });
  // What was flushed meanwhile left links.
  await assert.rejects(world.cut({ ownsBackups: false }), /keeps links in backups folders/);
  await world.cut();
  const after = await check(world, [1, 2, 3]);
  assert.deepEqual(
    after.map(({ level }) => level),
    ['fine', 'fine', 'fine'],
  );
});

test('a node with the files or the control of another one is an error that names it', async () => {
  await using world = await CutWorld.open(await shared(), 'mixed');
  const [one, two] = [world.node(1), world.node(2)];
  const crossed = await check(world, [], { nodes: [{ ...one, control: two.control }] });
  assert.match(crossed[0]?.message ?? '', /answers for another host/);
  const elsewhere = await check(world, [], { nodes: [{ ...one, dataDirectories: ['/nowhere'] }] });
  assert.ok(elsewhere.some(({ message }) => /also keeps data in/.test(message)));
  assert.ok(elsewhere.some(({ message }) => /cannot create a folder in/.test(message)));
});

test('a scope that means nothing is warned of', async () => {
  await using world = await CutWorld.open(await shared(), 'scoped');
  const findings = await check(world, [1, 2, 3], { scope: () => false });
  const [warning] = findings.filter(({ level }) => level === 'warning');
  assert.match(warning?.message ?? '', /nothing that the source holds is in scope/);
  const half = await check(world, [1, 2, 3], { include: ['scoped.t', 'scoped.tt'] });
  assert.deepEqual(
    half.filter(({ level }) => level === 'warning').map(({ message }) => message),
    ['no table that the source holds is called scoped.tt'],
  );
});

test('a node of which the others have half a row is an error that names it', async () => {
  await using world = await CutWorld.open(await shared(), 'halved');
  const { cluster, cql, signal } = world;
  const faults = async (): Promise<string[]> =>
    (await check(world, [1, 2, 3]))
      .filter(({ level }) => level === 'error')
      .map(({ message }) => message);
  const before = await faults();
  const whole: (() => Promise<unknown>)[] = [];
  for (const number of cluster.nodes) {
    const asked = { signal, host: cluster.address(number) };
    const query = 'SELECT peer, peer_port, tokens FROM system.peers_v2';
    const [row] = await cql.rows(query, asked);
    assert.ok(row);
    const where = `WHERE peer = '${row.peer}' AND peer_port = ${row.peer_port}`;
    const tokens = (row.tokens as string[]).map((token) => `'${token}'`);
    whole.push(() => cql.rows(`UPDATE system.peers_v2 SET tokens = {${tokens}} ${where}`, asked));
    await cql.rows(`DELETE tokens FROM system.peers_v2 ${where}`, asked);
  }
  const told = (await faults()).join();
  for (const restore of whole) await restore();
  assert.match(told, /not agree on the ring: the control of .* counts node 127/);
  assert.deepEqual(await faults(), before);
});
