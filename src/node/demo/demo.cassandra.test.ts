import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cassandraProgram } from '../../../test/harness/cassandra.ts';
import { runDemo } from './demo.ts';
import type { DemoEvent } from './demo-story.ts';

const scratch = mkdtempSync(join(tmpdir(), 'codr-demo-test-'));
const { TMPDIR: systemFolder, CODR_CASSANDRA_LIB: systemLib } = process.env;

before(async () => {
  process.env.TMPDIR = scratch;
  process.env.CODR_CASSANDRA_LIB = (await cassandraProgram()).lib;
});

after(() => {
  restore('TMPDIR', systemFolder);
  restore('CODR_CASSANDRA_LIB', systemLib);
  rmSync(scratch, { recursive: true, force: true });
});

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

const never = new AbortController().signal;
const options = { records: 3000, keep: false, cassandra: true };

test('the demo gives a keyspace back that is right on every replica alone, and leaves nothing', async () => {
  const told: string[] = [];
  const tell = (event: DemoEvent): void => {
    told.push(event.kind === 'step' ? event.title : event.text);
  };
  const result = await runDemo(options, tell, never);
  assert.equal(result.proven, true, told.join('\n'));
  assert.ok(result.records > 2000, `${result.records} rows came back`);
  const text = told.join('\n');
  // The same witness that finds all replicas equal afterwards saw one that had missed writes.
  assert.match(text, /node 3 says [\d,]+: .*orders.* differ/);
  assert.equal(text.match(/MD5 \S+ again \([1-9]\d* reads by it, 0 by the others\)/g)?.length, 3);
  assert.deepEqual([result.kept, readdirSync(scratch)], [[], []]);
});

test('a demo that is interrupted while a node is down leaves no server and no file', async () => {
  const stop = new AbortController();
  const tell = ({ kind, ...event }: DemoEvent): void => {
    if (kind === 'step' && 'title' in event && event.title.includes('SIGKILL')) {
      stop.abort(new Error('stopped by the test'));
    }
  };
  await assert.rejects(runDemo({ ...options, keep: true }, tell, stop.signal), /by the test/);
  assert.deepEqual(readdirSync(scratch), []);
});
