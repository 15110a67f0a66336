import assert from 'node:assert/strict';
import { access, cp, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { cassandra41, cassandra50, jolokiaJar } from '../../src/node/demo/cassandra-jars.ts';
import { storageService } from '../../src/node/demo/cassandra-jmx.ts';
import { findCassandra, verifyJars } from '../../src/node/demo/cassandra-program.ts';
import { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { cassandraProgram, connectCql, sharedCassandra, sstableDump } from './cassandra.ts';

const cluster = sharedCassandra();

async function dataFiles(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true });
  return files.filter((file) => file.endsWith('-Data.db')).map((file) => join(folder, file));
}

test('a row is in an SSTable after a flush, and Cassandra prints it with its timestamp', async () => {
  const one = await cluster();
  await using client = await connectCql(one);
  await client.cql(
    "CREATE KEYSPACE flushed WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await client.cql('CREATE TABLE flushed.t (id int PRIMARY KEY, v text)');
  await client.cql('INSERT INTO flushed.t (id, v) VALUES (?, ?) USING TIMESTAMP 1000', [
    7,
    'seven',
  ]);
  const folder = join(one.dataFolder(1), 'flushed');
  assert.deepEqual(await dataFiles(folder), []);
  await one.jmx(1).flush('flushed', 't');
  const [file = '', ...more] = await dataFiles(folder);
  assert.deepEqual(more, []);
  const [partition] = (await sstableDump(one.program, file)) as {
    partition: { key: string[] };
    rows: { liveness_info: object; cells: object[] }[];
  }[];
  assert.deepEqual(partition?.partition.key, ['7']);
  assert.deepEqual(partition?.rows[0]?.liveness_info, { tstamp: '1000' });
  assert.deepEqual(partition?.rows[0]?.cells, [{ name: 'v', value: 'seven' }]);
});

test('SSTables of another table are imported, verified and compacted by JMX', async () => {
  const one = await cluster();
  await using client = await connectCql(one);
  await client.cql(
    "CREATE KEYSPACE moved WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  for (const name of ['a', 'b'])
    await client.cql(`CREATE TABLE moved.${name} (id int PRIMARY KEY)`);
  await client.cql('INSERT INTO moved.a (id) VALUES (1)');
  const jmx = one.jmx(1);
  await jmx.flush('moved', 'a');
  const [file = ''] = await dataFiles(join(one.dataFolder(1), 'moved'));
  assert.deepEqual(await jmx.importTables('moved', 'b', [dirname(file)], { copy: true }), []);
  assert.equal((await client.cql('SELECT * FROM moved.b')).rowLength, 1);
  assert.equal(await jmx.verify('moved', 'b'), true);
  await jmx.compact('moved', 'b');
  assert.equal((await client.cql('SELECT * FROM moved.b')).rowLength, 1);
});

test('attributes are written and read, and a Java exception is the error', async () => {
  const one = await cluster();
  const jmx = one.jmx(1);
  assert.equal(await jmx.read(storageService, 'ReleaseVersion'), one.program.version);
  assert.equal(await jmx.read(storageService, 'IncrementalBackupsEnabled'), false);
  await jmx.write(storageService, 'IncrementalBackupsEnabled', true);
  assert.equal(await jmx.read(storageService, 'IncrementalBackupsEnabled'), true);
  await jmx.write(storageService, 'IncrementalBackupsEnabled', false);
  await assert.rejects(jmx.flush('no_such_keyspace'), /no_such_keyspace/);
});

test('clusters of one machine have networks of their own; a node that is killed starts again', async () => {
  const first = await cluster();
  const second = await CassandraCluster.start(await cassandraProgram());
  try {
    assert.notEqual(first.address(1), second.address(1));
    await second.stopNode(1, 'SIGKILL');
    assert.deepEqual(second.pids, []);
    await second.startNode(1);
    await second.waitCql(1);
    await second.waitRing();
    assert.equal(await second.jmx(1).read(storageService, 'OperationMode'), 'NORMAL');
  } finally {
    await second[Symbol.asyncDispose]();
  }
  await assert.rejects(access(second.folder), { code: 'ENOENT' });
});

test('a node that cannot start is told with the end of its log', async () => {
  const options = { yaml: ['no_such_setting: 1'] };
  await assert.rejects(
    CassandraCluster.start(await cassandraProgram(), options),
    (error: Error) => {
      assert.match(error.message, /node 1 ended while it started/);
      assert.match(error.message, /no_such_setting/);
      return true;
    },
  );
});

test('a jar with other bytes, a missing one and one too many are refused by name', async () => {
  const program = await cassandraProgram();
  const build = [cassandra50, cassandra41].find(({ version }) => version === program.version);
  assert.ok(build, `${program.version} has no list of jars`);
  const folder = await mkdtemp(join(tmpdir(), 'codr-jars-'));
  try {
    const lib = join(folder, 'lib');
    await cp(program.jolokia, join(folder, jolokiaJar));
    await cp(program.lib, lib, { recursive: true });
    await verifyJars(build, folder);
    const refused = async (message: RegExp): Promise<void> =>
      await assert.rejects(verifyJars(build, folder), { code: 'target-unfit', message });
    await symlink(join(folder, jolokiaJar), join(lib, 'extra.jar'));
    await refused(/extra\.jar is not one of this version/);
    await rm(join(lib, 'extra.jar'));
    const [guava = ''] = (await readdir(lib)).filter((jar) => jar.startsWith('guava-'));
    await writeFile(join(lib, guava), 'x', { flag: 'a' });
    await refused(/guava-[\w.-]+\.jar has SHA-256 \S+, not \S+$/);
    await rm(join(lib, guava));
    await refused(/guava-[\w.-]+\.jar is missing/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a named folder without Cassandra is a wrong value', async () => {
  await assert.rejects(findCassandra({ CODR_CASSANDRA_LIB: tmpdir() }), {
    code: 'config-invalid',
    message: /lacks cassandra-all-….jar$/,
  });
});

test('a machine without java or Maven is told what it lacks', async () => {
  const { PATH } = process.env;
  const folder = await mkdtemp(join(tmpdir(), 'codr-no-maven-'));
  try {
    process.env.PATH = folder;
    await assert.rejects(findCassandra({ XDG_CACHE_HOME: folder }), {
      code: 'target-unfit',
      message: 'Cassandra cannot run: no java on PATH',
    });
    const script = '#!/bin/sh\necho \'openjdk version "17.0.1"\' >&2\n';
    await writeFile(join(folder, 'java'), script, { mode: 0o755 });
    await assert.rejects(findCassandra({ XDG_CACHE_HOME: folder }), {
      code: 'target-unfit',
      message: 'the download of Cassandra 5.0.9 failed: no mvn on PATH',
    });
  } finally {
    process.env.PATH = PATH;
    await rm(folder, { recursive: true, force: true });
  }
});
