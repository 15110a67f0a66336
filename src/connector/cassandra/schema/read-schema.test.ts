import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSchema } from './read-schema.ts';

test("keyspaces that are called like another product's are data of users, Cassandra's own are none", async () => {
  const names = ['dse_orders', 'solr_admin', 'system_auth', 'systems', 'system_schema'];
  const query = async (text: string) =>
    text.includes('system_schema.keyspaces')
      ? names.map((keyspace_name) => ({ keyspace_name, durable_writes: true }))
      : [];
  const found = await readSchema(query);
  assert.deepEqual(
    found.map(({ name }) => name),
    ['dse_orders', 'solr_admin', 'systems'],
  );
});
