// Three peers, each beside one node of the ring, and each sees that node's files alone: the same path leads each
// elsewhere, and nowhere where a node's files are not its own. Cuts are whole, stored once, given back in the same way,
// and graded when one of the peers is gone; what one node alone has is read by the peer beside it.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { forEachLimit } from '../../src/base/async.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { murmurTokenBig } from '../../src/connector/cassandra/key/murmur3.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { call, type PeerProcess, Peers, until } from '../cluster/peers.ts';
import { connectCql, sharedCassandra, type TestClient } from '../harness/cassandra.ts';

const nodes = [1, 2, 3];
const cluster = sharedCassandra({ nodes: 3, hints: false });
const partitions = 3000;
const closing = new AsyncDisposableStack();
after(() => closing.disposeAsync());

async function fill({ client, cql }: TestClient): Promise<void> {
  const replication = "{'class': 'SimpleStrategy', 'replication_factor': 3}";
  await cql(`CREATE KEYSPACE seen WITH replication = ${replication}`);
  await cql('CREATE TABLE seen.t (k int, c int, v text, PRIMARY KEY (k, c))');
  const once = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
  await cql(`CREATE KEYSPACE lone WITH replication = ${once}`);
  await cql('CREATE TABLE lone.t (k int PRIMARY KEY, v blob)');
  const insert = 'INSERT INTO seen.t (k, c, v) VALUES (?, ?, ?)';
  const random = new SeededRandom(11);
  const keys = Array.from({ length: partitions * 4 }, (_, i) => i);
  await forEachLimit(keys, 32, async (i) => {
    const text = `order ${i}, ${Buffer.from(random.bytes(300)).toString('hex')}`;
    await client.execute(insert, [i % partitions, Math.floor(i / partitions), text], {
      prepare: true,
      consistency: 5,
    });
  });
}

const loneRows = 200;
const loneRowBytes = 40_000;

/** Of the token of an `int` that is a partition key. */
function tokenOf(key: number): bigint {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(key);
  return murmurTokenBig(bytes);
}

/**
 * Into a table of one copy: of each node rows of one of its ranges alone, so that parts of the table are of one node,
 * or of two that follow one another.
 */
async function fillLone({ client }: TestClient): Promise<void> {
  // Both of one node: each tells of the others.
  const [host] = client.hosts.values();
  assert.ok(host);
  const local = await client.execute('SELECT tokens FROM system.local', [], { host });
  const others = await client.execute('SELECT tokens FROM system.peers', [], { host });
  const owners = [...local.rows, ...others.rows]
    .flatMap(({ tokens }, node) => (tokens as string[]).map((one) => ({ to: BigInt(one), node })))
    .sort((a, b) => (a.to < b.to ? -1 : 1));
  const ranges = owners
    .slice(1)
    .map(({ to, node }, i) => ({ from: owners[i]?.to ?? 0n, to, node }));
  const widest = nodes.map((_, node) =>
    ranges
      .filter((range) => range.node === node)
      .reduce((most, one) => (one.to - one.from > most.to - most.from ? one : most)),
  );
  const keys: number[] = [];
  const counts = widest.map(() => 0);
  for (let key = 0; keys.length < loneRows * nodes.length; key++) {
    const token = tokenOf(key);
    const at = widest.findIndex(({ from, to }) => token > from && token <= to);
    if (at < 0 || (counts[at] as number) >= loneRows) continue;
    counts[at] = (counts[at] as number) + 1;
    keys.push(key);
  }
  // One chunk of a file has no part of it twice.
  const value = Buffer.from(new SeededRandom(12).bytes(loneRowBytes));
  const insert = 'INSERT INTO lone.t (k, v) VALUES (?, ?)';
  await forEachLimit(keys, 8, async (key) => {
    await client.execute(insert, [key, value], { prepare: true });
  });
}

/** Bytes of files that peers have read of one another so far. */
async function readElsewhere(peers: Peers): Promise<number> {
  let bytes = 0;
  for (const { metrics } of peers.all) {
    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    bytes += Number(/^codr_files_read_bytes_total (\d+)$/m.exec(text)?.[1]);
  }
  return bytes;
}

/** Bytes of the live files of the table at all nodes. */
async function copies(ring: CassandraCluster, name = 'seen'): Promise<number> {
  let bytes = 0;
  for (const node of nodes) {
    await ring.jmx(node).flush(name, 't');
    const keyspace = join(ring.dataFolder(node), name);
    for (const table of await readdir(keyspace)) {
      for (const file of await readdir(join(keyspace, table))) {
        if (file.endsWith('-Data.db')) bytes += (await stat(join(keyspace, table, file))).size;
      }
    }
  }
  return bytes;
}

/** Whoever of the peers has stored it. */
async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = files.map(
    async ({ parentPath, name }) => (await stat(join(parentPath, name))).size,
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Where the files of a node are, for who runs in the folder of its peer. */
const pathOf = (node: number): string => `/proc/self/cwd/node-${node}`;

/** Peer `n1` runs in a folder that leads to the files of node 1, and so on. */
async function startPeers(ring: CassandraCluster): Promise<Peers> {
  const folder = await mkdtemp(join(tmpdir(), 'codr-seen-'));
  closing.defer(() => rm(folder, { recursive: true, force: true }));
  for (const node of nodes) {
    await mkdir(join(folder, `n${node}`));
    await symlink(ring.dataFolder(node), join(folder, `n${node}`, `node-${node}`));
  }
  const place = (node: number) => ({
    cwd: join(folder, `n${node}`),
    fields: { files: [pathOf(node)] },
  });
  return closing.use(await Peers.start({ count: 3, place }));
}

/** What a user would write for the ring; gives the file's path. */
async function configFile(ring: CassandraCluster, folder: string): Promise<string> {
  const path = join(folder, 'ring.yaml');
  const placed = nodes.map((node) => [
    ring.address(node),
    {
      dataDirectories: [ring.dataFolder(node)],
      control: { jolokia: ring.httpUrl(node) },
      peer: `n${node}`,
      paths: { [ring.dataFolder(node)]: pathOf(node) },
    },
  ]);
  const content = {
    ...{ kind: 'cassandra', contactPoints: ring.contactPoints, ownsBackups: true },
    nodes: Object.fromEntries(placed),
  };
  // JSON is YAML too.
  await writeFile(path, JSON.stringify(content));
  return path;
}

test('a ring is captured and given back by peers that each see one node, stored once, and graded when one is gone', async () => {
  const ring = await cluster();
  await using client = await connectCql(ring);
  await fill(client);
  const peers = await startPeers(ring);
  const config = await configFile(ring, peers.folder);
  const [first, second] = peers.all as [PeerProcess, PeerProcess];
  await using api = first.api();
  const added = await api.addSource(
    { source: 'seen', config, include: ['seen.*', 'lone.*'], exclude: [] },
    call,
  );
  const faults = added.findings.filter(({ level }) => level !== 'fine');
  assert.deepEqual(faults, [], 'every node is checked through its own peer');

  const bytes = await copies(ring);
  const empty = await bytesBelow(peers.repository);
  const base = await api.backup({ source: 'seen', follow: false, rpoSeconds: 1 }, call);
  assert.equal(base.grade, 'complete');
  const stored = (await bytesBelow(peers.repository)) - empty;
  const share = stored / bytes;
  assert.ok(share <= 0.3, `${stored} of ${bytes} bytes are stored, ${share.toFixed(3)}`);

  await client.cql("INSERT INTO seen.t (k, c, v) VALUES (1, 1000, 'late')");
  await fillLone(client);
  const lone = await copies(ring, 'lone');
  const before = await readElsewhere(peers);
  const next = await api.backup({ source: 'seen', follow: false, rpoSeconds: 1 }, call);
  assert.equal(next.grade, 'complete');
  const elsewhere = ((await readElsewhere(peers)) - before) / lone;
  assert.ok(elsewhere < 0.5, `${elsewhere.toFixed(2)} of the bytes were read over the network`);
  for (const node of nodes) {
    const keyspace = join(ring.dataFolder(node), 'seen');
    const [table = ''] = await readdir(keyspace);
    const links = await readdir(join(keyspace, table, 'backups')).catch(() => []);
    assert.deepEqual(links, [], `node ${node} keeps no link that is captured`);
    const tags = await readdir(join(keyspace, table, 'snapshots')).catch(() => []);
    assert.deepEqual(tags, [], `node ${node} keeps no snapshot`);
  }

  const pieces = peers.all.flatMap((peer) => peer.lines('"kind":"cut-part"'));
  assert.ok(pieces.length > 0, 'parts of the table were read by other peers');

  // Given back in the same way: each node's files are made by the peer that sees them.
  const wish = { source: 'seen', to: config, at: 'latest', renames: ['seen.*=again.*'] };
  const scope = { include: ['seen.*'], exclude: [], ranges: [], queries: [] };
  const how = { drop: false, ttl: 'keep', verify: true } as const;
  const { datasets } = await api.restore({ ...wish, ...scope, ...how }, call);
  const total = partitions * 4 + 1;
  const told = datasets.map(({ to, records, proven }) => ({ to, records, proven }));
  assert.deepEqual(told, [{ to: 'again.t', records: total, proven: true }]);
  const { rows } = await client.cql('SELECT count(*) AS n FROM again.t');
  assert.equal(Number(rows[0]?.n), total);
  for (const node of nodes) {
    const names = await readdir(ring.dataFolder(node), { recursive: true });
    const left = names.filter((name) => /codr-(import|proof|probe)/.test(name));
    assert.deepEqual(left, [], `node ${node} keeps nothing of the restore`);
  }

  await client.cql('DROP KEYSPACE lone');
  await second.kill();
  const poor = await api.backup({ source: 'seen', follow: false, rpoSeconds: 1 }, call);
  assert.equal(poor.grade, 'quorum-safe');
});

test('a peer that is frozen in the middle of a cut costs its node alone, soon; awake again it harms nothing', async () => {
  const ring = await cluster();
  await using client = await connectCql(ring);
  const replication = "{'class': 'SimpleStrategy', 'replication_factor': 3}";
  await client.cql(`CREATE KEYSPACE cold WITH replication = ${replication}`);
  await client.cql('CREATE TABLE cold.t (k int PRIMARY KEY, v int)');
  for (let k = 0; k < 50; k++) await client.cql(`INSERT INTO cold.t (k, v) VALUES (${k}, 1)`);
  const peers = await startPeers(ring);
  const config = await configFile(ring, peers.folder);
  const [first, , third] = peers.all as [PeerProcess, PeerProcess, PeerProcess];
  await using api = first.api();
  const source = { source: 'cold', config, include: ['cold.*'], exclude: [] };
  await api.addSource(source, call);
  const cut = (progress = () => {}) =>
    api.backup({ source: 'cold', follow: false, rpoSeconds: 1 }, { ...call, progress });
  assert.equal((await cut()).grade, 'complete');
  await client.cql('UPDATE cold.t SET v = 2 WHERE k = 7');
  const fromMs = performance.now();
  const poor = await cut(() => third.freeze());
  assert.equal(poor.grade, 'quorum-safe');
  assert.match(poor.warnings.join(), /peer n3 gives no files/);
  const tookMs = performance.now() - fromMs;
  assert.ok(tookMs < 60_000, `${tookMs} ms`);
  await client.cql('UPDATE cold.t SET v = 3 WHERE k = 8');
  third.thaw();
  const isUp = async (): Promise<boolean> =>
    (await api.status({}, call)).peers.filter(({ state }) => state === 'up').length === 3;
  await until(isUp, { within: 60_000, what: 'all peers are up again' });
  const whole = await cut();
  assert.equal(whole.grade, 'complete');
  const names = await readdir(ring.dataFolder(3), { recursive: true });
  const left = names.filter((name) => /cold\/.*\/(snapshots|backups)\/./.test(name));
  assert.deepEqual(left, [], 'nothing strays at its node');
  const record = await api.getRecord(
    { source: 'cold', namespace: 'cold.t', key: 'k = 8', at: 'latest', history: false },
    call,
  );
  assert.match(record.value ?? '', /3/);
});
