// A cut given back: beside itself in the same cluster, and into clusters of other sizes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { isCodrError } from '../../src/base/error.ts';
import { connectCql, sharedNode } from '../harness/cassandra.ts';
import { assertSameRows, seen } from './oracle.ts';
import { CassandraWorld } from './world.ts';

const cluster = sharedNode();

test('a keyspace comes back under another name as it was at the cut, with timestamps and times to live', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await client.cql(
    "CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await client.cql('CREATE TYPE shop.address (street text, zip int)');
  await client.cql(
    'CREATE TABLE shop.orders (k int, c int, v text, s text static, m map<text, int>, l list<int>, ' +
      'a address, f frozen<address>, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)',
  );
  await client.cql('CREATE INDEX orders_v ON shop.orders (v)');
  for (let i = 0; i < 200; i++) {
    await client.cql(
      `INSERT INTO shop.orders (k, c, v, s, m, l, a) VALUES (${i % 20}, ${i}, 'v${i}', 's${i}', ` +
        `{'a': ${i}}, [1, ${i}], {street: 'x', zip: ${i}}) USING TTL ${100_000 + i}`,
    );
  }
  await client.cql('DELETE FROM shop.orders WHERE k = 3 AND c > 100');
  await client.cql('DELETE FROM shop.orders WHERE k = 4');
  await using world = await CassandraWorld.open();
  const shop = await world.protect('shop', source);
  await shop.backup();
  await client.cql("UPDATE shop.orders SET v = 'later' WHERE k = 5 AND c = 5");
  await client.cql('UPDATE shop.orders SET l = l + [7] WHERE k = 6 AND c = 6');
  const wanted = await seen(client, 'shop');
  await shop.backup();
  await client.cql('TRUNCATE shop.orders');

  const restored = await shop.restoreTo(source, { renames: ['shop.*=shop2.*'] });
  assert.deepEqual(
    restored.datasets.map(({ to, proven }) => [to, proven]),
    [['shop2.orders', true]],
  );
  assertSameRows(await seen(client, 'shop2'), wanted);
  const found = await client.cql("SELECT k FROM shop2.orders WHERE v = 'later'");
  assert.equal(found.rowLength, 1);
});

test('a second CODR on the cluster is refused by name, and takes nothing from the first', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await client.cql(
    "CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await client.cql('CREATE TABLE kept.t (k int PRIMARY KEY, v text)');
  await client.cql("INSERT INTO kept.t (k, v) VALUES (1, 'first')");
  await using one = await CassandraWorld.open();
  await using two = await CassandraWorld.open();
  const first = await one.protect('kept', source);
  await first.backup();
  await client.cql("INSERT INTO kept.t (k, v) VALUES (2, 'flushed and compacted')");
  await source.jmx(1).flush('kept');
  await source.jmx(1).compact('kept');
  const second = await two.protect('kept', source, { settings: { ownsBackups: false } });
  await assert.rejects(second.backup(), (error) => {
    assert.ok(isCodrError(error, 'source-unfit'));
    assert.match(error.message, /another source, [0-9a-f]{32}, as the mark .*\.codr-links says/);
    return true;
  });
  await second.remove();
  await first.backup();
  await client.cql('TRUNCATE kept.t');
  await first.restoreTo(source, { renames: ['kept.*=kept2.*'] });
  const { rows } = await client.cql('SELECT k FROM kept2.t');
  assert.deepEqual(rows.map(({ k }) => k).sort(), [1, 2]);
});

test('a server whose files are mounted elsewhere is captured by `paths`, and told its own paths when it imports', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await client.cql(
    "CREATE KEYSPACE mounted WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await client.cql('CREATE TABLE mounted.t (k int PRIMARY KEY, v text)');
  for (let k = 0; k < 50; k++) await client.cql(`INSERT INTO mounted.t (k, v) VALUES (${k}, 'x')`);
  await using world = await CassandraWorld.open();
  const theirs = join(world.folder, 'as-the-server-sees-it');
  await using seenCalls = await ControlProxy.before(source.httpUrl(1));
  const settings = {
    paths: { [theirs]: source.folder },
    nodes: {
      [source.address(1)]: {
        dataDirectories: [source.dataFolder(1).replace(source.folder, theirs)],
        control: { jolokia: seenCalls.url },
      },
    },
  };
  // Nothing is there for us: without `paths` no file of it would be found.
  const mounted = await world.protect('mounted', source, { settings });
  assert.equal((await mounted.backup()).records, 50);
  await symlink(source.folder, theirs);
  const to = await world.configFile('mounted-target', source, settings);
  const { datasets } = await mounted.restore({ to, renames: ['mounted.*=mounted2.*'] });
  assert.ok(datasets.every(({ proven }) => proven));
  const imports = seenCalls.bodies.filter((body) => /importNewSSTables/.test(body));
  const folders = imports.flatMap((body) => JSON.parse(body).arguments[0] as string[]);
  assert.ok(folders.length > 0);
  assert.ok(
    folders.every((folder) => folder.startsWith(`${theirs}/`)),
    String(folders),
  );
  const { rows } = await client.cql('SELECT k FROM mounted2.t');
  assert.equal(rows.length, 50);
});

/** Between CODR and a node's Jolokia. */
class ControlProxy implements AsyncDisposable {
  readonly bodies: string[] = [];
  readonly #server = createServer();
  url = '';

  static async before(target: string): Promise<ControlProxy> {
    const proxy = new ControlProxy();
    const { bodies } = proxy;
    proxy.#server.on('request', async (request, response) => {
      const body = await text(request);
      bodies.push(body);
      const answer = await fetch(target, { method: 'POST', body });
      response.writeHead(answer.status).end(await answer.text());
    });
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    proxy.url = `http://127.0.0.1:${(proxy.#server.address() as AddressInfo).port}/`;
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
