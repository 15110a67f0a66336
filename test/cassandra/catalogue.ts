// Cases of the test catalogue that share one keyspace, its cuts and one restore beside it. Every case
// writes in rounds; a cut or a flush ends each round, so what belongs together lies in several files
// and cuts. Then each case is a test of its own: its tables say the same in both keyspaces, and what
// it asks besides is true.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { RestoreResult } from '../../src/api/restore-calls.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { connectCql, type TestClient } from '../harness/cassandra.ts';
import { assertSameRows, type SeenRows, seen } from './oracle.ts';
import { CassandraWorld, type ProtectedCluster } from './world.ts';

/** CQL that names tables without their keyspace, alone or with its parameters. */
export type Statement = string | readonly [string, readonly unknown[]];

/** One line of the catalogue. */
export interface CatalogueCase {
  /** Begins with its number. */
  readonly title: string;
  readonly tables: readonly string[];
  readonly rounds: readonly (readonly Statement[])[];
  /** What must be true besides; it may write to the restored keyspace, and to its own tables. */
  readonly also?: (scene: Scene) => Promise<void>;
}

/** Both keyspaces after the restore; clients have theirs as default. */
export interface Scene extends AsyncDisposable {
  readonly cluster: CassandraCluster;
  readonly shop: ProtectedCluster;
  readonly keyspace: string;
  readonly copy: string;
  readonly source: TestClient;
  readonly restored: TestClient;
  readonly result: RestoreResult;
  readonly wanted: SeenRows;
  readonly got: SeenRows;
  /** By title: what a case's statements failed with. */
  readonly failed: ReadonlyMap<string, unknown>;
}

/** Declares one test for each case; gives the scene, which the first test opens. */
export function catalogue(
  cluster: () => Promise<CassandraCluster>,
  keyspace: string,
  cases: readonly CatalogueCase[],
): () => Promise<Scene> {
  let scene: Promise<Scene> | undefined;
  const opened = (): Promise<Scene> => {
    scene ??= cluster().then((one) => openScene(one, keyspace, cases));
    return scene;
  };
  after(async () => await (await scene?.catch(() => undefined))?.[Symbol.asyncDispose]());
  for (const one of cases) {
    test(one.title, async () => {
      const found = await opened();
      if (found.failed.has(one.title)) throw found.failed.get(one.title);
      assertTables(found, one.tables);
      await one.also?.(found);
    });
  }
  return opened;
}

/** The rows of a query as JSON texts, which both keyspaces must say alike. */
export async function both({ source, restored }: Scene, query: string): Promise<string[]> {
  const [wanted, got] = await Promise.all([source, restored].map((one) => rowsOf(one, query)));
  assert.deepEqual(got, wanted, query);
  return wanted ?? [];
}

/** The first column of each row as text. */
export async function rowsOf(client: TestClient, query: string): Promise<string[]> {
  const { rows } = await client.cql(query);
  return rows.map((row) => String(row.values()[0]));
}

/** `of` tables alone; at least one of them has rows, or nothing would be compared. */
function assertTables({ wanted, got, result, copy }: Scene, tables: readonly string[]): void {
  const some = new Map(tables.map((table) => [table, wanted.get(table) ?? []]));
  const count = [...some.values()].reduce((sum, rows) => sum + rows.length, 0);
  assert.ok(count > 0, `${tables} hold nothing`);
  for (const table of tables) {
    const { proven } = result.datasets.find(({ to }) => to === `${copy}.${table}`) ?? {};
    assert.equal(proven, true, `${copy}.${table} is not proven`);
  }
  assertSameRows(got, some);
}

async function openScene(
  cluster: CassandraCluster,
  keyspace: string,
  cases: readonly CatalogueCase[],
): Promise<Scene> {
  await using open = new AsyncDisposableStack();
  const admin = open.use(await connectCql(cluster));
  await admin.cql(`CREATE KEYSPACE "${keyspace}" WITH replication = ${oneReplica}`);
  const source = open.use(await connectCql(cluster, { keyspace }));
  const world = open.use(await CassandraWorld.open());
  const shop = await world.protect(keyspace, cluster);
  const failed = new Map<string, unknown>();
  const rounds = Math.max(...cases.map((one) => one.rounds.length));
  for (let round = 0; round < rounds; round++) {
    for (const { title, rounds: said } of cases) {
      if (failed.has(title)) continue;
      await sayAll(source, said[round] ?? []).catch((error) => failed.set(title, error));
    }
    if (round % 2 === 0 || round === rounds - 1) await shop.backup();
    else await cluster.jmx(1).flush(keyspace);
  }
  const copy = `${keyspace}_back`;
  const result = await shop.restoreTo(cluster, { renames: [`${keyspace}.*=${copy}.*`] });
  const restored = open.use(await connectCql(cluster, { keyspace: copy }));
  const [wanted, got] = [await seen(source, keyspace), await seen(restored, copy)];
  const all = open.move();
  return {
    ...{ cluster, shop, keyspace, copy, source, restored, result, wanted, got, failed },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Replication of the keyspaces of one node. */
export const oneReplica = "{'class': 'SimpleStrategy', 'replication_factor': 1}";

/** One after the other. */
export async function sayAll(client: TestClient, statements: readonly Statement[]): Promise<void> {
  for (const one of statements) {
    const [text, parameters] = typeof one === 'string' ? [one, []] : one;
    try {
      await client.cql(text, parameters);
    } catch (error) {
      throw new Error(`${text.slice(0, 300)}: ${(error as Error).message}`, { cause: error });
    }
  }
}
