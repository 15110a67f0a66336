import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectorContext } from '../../../../test/harness/context.ts';
import { startTestSet } from '../../../../test/harness/mongod.ts';
import { everything } from '../../../model/namespace.ts';
import { MongodbSession } from './mongodb-session.ts';

const signal = new AbortController().signal;

test('login and TLS of the URI reach every member; without them the source says why', async () => {
  const { set, caFile } = await startTestSet({ members: 2, auth: true, tls: true });
  await using _ = set;
  const tls = `&tls=true&tlsCAFile=${encodeURIComponent(caFile ?? '')}`;
  await using session = await MongodbSession.open(`${set.uri}${tls}`, connectorContext(), signal);
  const findings = await session.check(everything, signal);
  assert.ok(findings.some(({ message }) => message === '1 secondaries to read from'));
  assert.deepEqual(
    findings.filter(({ level }) => level === 'error'),
    [],
  );
  const { datasets } = await session.survey(signal);
  const users = datasets.find(({ entry }) => entry.kind === 'users')?.entry;
  assert.ok(users);
  let records = 0;
  for await (const batch of (await session.readSegment(users, {}, signal))?.batches ?? []) {
    records += batch.length;
  }
  assert.equal(records, 1);

  const open = (uri: string): Promise<MongodbSession> =>
    MongodbSession.open(uri, connectorContext(), signal);
  const wait = '&serverSelectionTimeoutMS=500';
  await assert.rejects(open(`${set.uri}${wait}`), { code: 'source-unreachable' });
  const other = set.uriAs({ user: 'root', password: 'wrong' });
  await assert.rejects(open(`${other}${tls}${wait}`), { code: 'source-rights' });
  const nobody = await open(`${set.uriAs(undefined)}${tls}${wait}`).catch((error) => error);
  assert.equal(nobody.code, 'source-rights');
});
