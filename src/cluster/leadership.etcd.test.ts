import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { realClock } from '../../test/harness/context.ts';
import { sharedEtcd } from '../../test/harness/etcd.ts';
import { isCodrError } from '../base/error.ts';
import { newPrefix, openEtcd, rawEtcd, until } from '../coordination/etcd/etcd.fixture.ts';
import { campaign, type Term } from './leadership.ts';

const ttlMs = 4000;
/** etcd elects its own leader in this time; one that is cut off steps back after it, at the latest. */
const electionMs = 2000;
const cluster = sharedEtcd({ members: 3 });

interface Line {
  readonly is: 'leading' | 'writing' | 'refused' | 'over';
  readonly createRevision?: number;
  readonly lateWriteDone?: boolean;
}

/** A process that campaigns; see the fixture. */
class Peer implements AsyncDisposable {
  readonly lines: Line[] = [];
  readonly #child: ChildProcess;

  constructor(name: string, prefix: string, endpoints: readonly string[]) {
    const program = fileURLToPath(new URL('leader-process.fixture.ts', import.meta.url));
    const args = [program, name, prefix, `${ttlMs}`, ...endpoints];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: child.stdout }).on('line', (line) =>
      this.lines.push(JSON.parse(line) as Line),
    );
    this.#child = child;
  }

  async says(is: Line['is'], msMax = 10_000): Promise<Line> {
    await until(`a peer says "${is}"`, () => this.lines.some((line) => line.is === is), msMax);
    return this.lines.find((line) => line.is === is) as Line;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }
}

test('a leader that is stopped past its lease and woken writes nothing after the next one has begun', async () => {
  const { endpoints } = await cluster();
  const prefix = newPrefix();
  const raw = rawEtcd(endpoints[0] as string);
  const stream = await raw.watches.watch();
  const written: { by: string; revision: number }[] = [];
  stream.on('data', ({ events }) => {
    for (const { kv } of events) {
      written.push({ by: `${kv.value}`, revision: Number(kv.mod_revision) });
    }
  });
  stream.on('error', () => {});
  stream.write({ create_request: { key: Buffer.from(`${prefix}/keys/written`) } });

  await using a = new Peer('a', prefix, endpoints);
  await a.says('writing');
  await using b = new Peer('b', prefix, endpoints);
  await until('a wrote for a while', () => written.length > 20);
  a.signal('SIGSTOP');
  const stopped = performance.now();
  await b.says('writing');
  const waited = performance.now() - stopped;
  // etcd looks for ended leases twice a second; the last keep-alive may be as new as the stop.
  assert.ok(waited > ttlMs * 0.5 && waited < ttlMs + 3000, `b led after ${waited} ms`);
  a.signal('SIGCONT');
  const { lateWriteDone } = await a.says('over');
  assert.equal(lateWriteDone, false);
  const before = written.length;
  await until('b goes on', () => written.length > before + 20);

  const [first, second] = [await a.says('leading'), await b.says('leading')];
  const begun = second.createRevision as number;
  assert.ok((first.createRevision as number) < begun);
  for (const { by, revision } of written) assert.equal(by, revision < begun ? 'a' : 'b');
  assert.ok(written.some(({ by }) => by === 'a') && written.some(({ by }) => by === 'b'));
  stream.cancel();
  raw.close();
});

test('without a majority of etcd the leader stops before its lease ends, and leads again after', async () => {
  const { endpoints, members } = await cluster();
  const prefix = newPrefix();
  await using coordinator = await openEtcd(endpoints, { prefix });
  await using other = await openEtcd(endpoints, { prefix });
  const stop = new AbortController();
  const terms: { term: Term; endedMs?: number }[] = [];
  const lead = (async () => {
    const options = { name: 'a', ttlMs, clock: realClock, signal: stop.signal };
    for await (const term of campaign(coordinator, options)) {
      const entry: (typeof terms)[number] = { term };
      terms.push(entry);
      await new Promise((resolve) => term.signal.addEventListener('abort', resolve));
      entry.endedMs = performance.now();
    }
  })();
  await until('it leads', () => terms.length === 1);
  const [first] = terms as [(typeof terms)[number]];
  for (const member of members.slice(1)) member.freeze();
  const frozenMs = performance.now();
  const key = `${prefix}/keys/coordinator`;
  let seenAt = 0;
  try {
    await until('it stops', () => first.endedMs !== undefined);
    // Without a majority no lease ends, so the one that runs on knows what was agreed last: it still leads there.
    seenAt = await standsAt(endpoints[0] as string, key, first.term);
    const actedMs = (first.endedMs as number) - frozenMs;
    // The member that is left confirms the lease until it sees that it leads no majority.
    assert.ok(actedMs < ttlMs + electionMs, `it acted for ${actedMs} ms`);
    assert.ok(isCodrError(first.term.signal.reason, 'lease-lost'));
    await assert.rejects(
      () => first.term.transact([], [{ put: 'written', value: 'too late' }]),
      (error) => isCodrError(error, 'lease-lost'),
    );
  } finally {
    for (const member of members.slice(1)) member.thaw();
  }
  await until('it leads again', () => terms.length === 2);
  // Those who were away agree that its key was there when it stopped: nobody could lead before.
  await standsAt(endpoints[1] as string, key, first.term, seenAt);
  const second = terms[1]?.term as Term;
  assert.equal(second.epoch.clusterId, first.term.epoch.clusterId);
  assert.ok(second.epoch.revision > first.term.epoch.revision);
  assert.ok((await second.transact([], [{ put: 'written', value: 'again' }])).done);
  assert.equal((await other.get('written'))?.value, 'again');
  stop.abort();
  await lead;
  assert.equal(await other.get('coordinator'), undefined, 'what it led was given back');
});

/**
 * The key that the term began with is there: as far as this member knows, or at that revision as all know it. Answers
 * with the revision that was looked at. By HTTP, which a member answers also while it knows no leader.
 */
async function standsAt(
  endpoint: string,
  name: string,
  { epoch }: Term,
  revision?: number,
): Promise<number> {
  const key = Buffer.from(name).toString('base64');
  const asked = revision === undefined ? { serializable: true } : { revision };
  const body = JSON.stringify({ key, ...asked });
  const answer = await fetch(`${endpoint}/v3/kv/range`, { method: 'POST', body });
  const said = (await answer.json()) as {
    readonly header: { readonly revision: string };
    readonly kvs?: readonly { readonly create_revision: string }[];
  };
  const created = Number(said.kvs?.[0]?.create_revision);
  assert.equal(created, epoch.revision, 'its key stands when it stops');
  return revision ?? Number(said.header.revision);
}
