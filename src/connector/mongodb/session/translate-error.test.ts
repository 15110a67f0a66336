import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
} from 'mongodb';
import { CodrError } from '../../../base/error.ts';
import { MongodbConnection } from './connection.ts';
import { codeOf, translated } from './translate-error.ts';

const clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };

/** How a URI is refused before any server is asked. */
async function refusal(uri: string): Promise<CodrError> {
  const open = MongodbConnection.open(uri, clock, 'target', new AbortController().signal);
  const error = await open.then(
    () => assert.fail('the URI was taken'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof CodrError, String(error));
  return error;
}

test('a password with unescaped signs is a wrong value; the remedy says how, and no part of it is shown', async () => {
  for (const password of ['hun@ter', 'hun@ter:7', 'hun:ter', 'hun/ter', 'hun?ter', 'hun%zzter']) {
    const error = await refusal(`mongodb://u:${password}@db1/?replicaSet=rs`);
    assert.equal(error.code, 'config-invalid', password);
    assert.match(error.message, /^the URI of the target is not valid: /);
    assert.match(error.remedy, /@ (?:is|as|in .*) %40/, password);
    assert.equal(error.cause, undefined);
    assert.doesNotMatch(`${error.message} ${error.remedy}`, /hun|ter\b/, password);
  }
});

test('a port that is none, an option that is unknown and a URI without hosts are wrong values', async () => {
  const port = await refusal('mongodb://db1:99999/');
  const option = await refusal('mongodb://db1/?colour=red');
  const host = await refusal('mongodb://');
  assert.deepEqual(
    [port, option, host].map(({ code }) => code),
    ['config-invalid', 'config-invalid', 'config-invalid'],
  );
  assert.match(port.message, /: db1:99999 cannot be read$/);
  assert.match(option.message, /colour/);
});

test('a name that DNS does not know is a source that does not answer', () => {
  const message = 'querySrv ENOTFOUND _mongodb._tcp.unknown.host';
  const error = Object.assign(new Error(message), { code: 'ENOTFOUND', syscall: 'querySrv' });
  const shown = translated(error, 'unknown.host') as CodrError;
  assert.equal(shown.code, 'source-unreachable');
  assert.equal(shown.message, `unknown.host does not answer: ${message}`);
});

test('a cause that says the same again is told once', () => {
  const cause = new MongoNetworkError('connect ECONNREFUSED 127.0.0.1:1');
  const error = new MongoServerSelectionError(cause.message, {} as never);
  error.cause = cause;
  const shown = translated(error, 'h:1') as CodrError;
  assert.equal(shown.message, 'h:1 does not answer: connect ECONNREFUSED 127.0.0.1:1');
});

test('hosts of another replica set are told from hosts that are away', () => {
  const reason = { servers: new Map(), setName: 'rs9' };
  const error = new MongoServerSelectionError('timed out', reason as never);
  const shown = translated(error, 'h:1') as CodrError;
  assert.match(shown.message, /none of these hosts is a member of a replica set rs9/);
  assert.match(shown.remedy, /replicaSet/);
});

test('a server that wants a login, and got none, is told from one that refuses a right', () => {
  const message = 'command replSetGetConfig requires authentication';
  const shown = translated(new MongoServerError({ message, code: 13 }), 'h:1') as CodrError;
  assert.equal(shown.code, 'source-rights');
  assert.equal(shown.message, 'h:1: the source refuses to answer without a login');
});

test('a refusal shows no session and no signature, not even as a cause', () => {
  const error = new MongoServerError({
    code: 13,
    errmsg:
      'not authorized on admin to execute command { appendOplogNote: 1, data: { msg: "x" }, ' +
      'lsid: { id: UUID("5e8f") }, $clusterTime: { signature: { hash: BinData(0, 40D5) } } }',
  });
  const shown = translated(error, 'db1:27017') as CodrError;
  const cause = shown.cause as Error;
  assert.deepEqual([shown.code, codeOf(shown)], ['source-rights', 13]);
  assert.equal(
    shown.message,
    'db1:27017: the source refuses the action appendOplogNote on database admin',
  );
  assert.equal(
    cause.message,
    'not authorized on admin to execute command { appendOplogNote: 1, … }',
  );
});

test('a member that has not heard of the time of a read yet is asked later, or another one is', () => {
  const told = (message: string): unknown =>
    translated(new MongoServerError({ code: 72, message }), 'app.a');
  const behind = told(
    'readConcern atClusterTime value must not be greater than the current clusterTime.',
  );
  assert.ok(behind instanceof CodrError && behind.code === 'source-unreachable');
  const closed = translated(new MongoTopologyClosedError('Topology is closed'), 'app.a');
  assert.ok(closed instanceof CodrError && closed.code === 'source-unreachable');
  const other = told('unknown option');
  assert.ok(other instanceof CodrError && other.code === 'source-unfit');
});
