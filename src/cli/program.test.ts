import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupResult, Points, RestoreResult, VerifyResult } from '../api/codr-api.ts';
import { CodrError } from '../base/error.ts';
import { exitCodes } from '../base/error-catalogue.ts';
import { optionRows } from '../node/config-option.ts';
import { commands } from './commands.ts';
import { type FakeApi, runFake } from './fake-world.ts';

const from = { time: '1763812800:1', wall: '2025-11-22T12:00:00.000Z' };
const to = { time: '1763816700:42', wall: '2025-11-22T13:05:00.000Z' };

const backedUp: BackupResult = {
  source: 'shop',
  point: { id: 'shop-7', ...to },
  interval: { from, to },
  datasets: 3,
  records: 20_000,
  changes: 5,
  bytesRead: 3_000_000,
  bytesStored: 1_000_000,
  bytesDeduplicated: 0,
  ...{ holes: [], warnings: [] },
  seconds: 1.5,
};

const restored: RestoreResult = {
  source: 'shop',
  at: to,
  datasets: [{ from: 'a.b', to: 'a.c', records: 2, bytes: 64, root: 'ab12', proven: true }],
  ...{ definitions: [], dropped: [], skipped: [], changedByTarget: [] },
  tornTransactions: 0,
  warnings: [],
  seconds: 2,
};

/** Answers a call with `result` and remembers what was asked. */
function answering<R>(result: R): { asked: unknown[]; call: (request: unknown) => Promise<R> } {
  const asked: unknown[] = [];
  return {
    asked,
    call: async (request) => {
      asked.push(request);
      return result;
    },
  };
}

test('with --json a result is one object on stdout, field by field as the API gave it', async () => {
  const run = await runFake(['backup', 'shop', '--json'], {
    api: { backup: async () => backedUp },
  });
  assert.equal(run.exitCode, 0);
  assert.deepEqual(JSON.parse(run.stdout), backedUp);
  assert.equal(run.stdout.split('\n').length, 2);
  assert.equal(run.stderr, '');
  assert.equal(run.closed, true);
});

test('global options stand before or after the command, or in the environment', async () => {
  const api: FakeApi = { backup: async () => backedUp };
  const before = await runFake(['--repo', '/r', 'backup', 'shop'], { api });
  const after = await runFake(['backup', 'shop', '--repo', '/r'], { api });
  const environment = await runFake(['backup', 'shop'], { api, env: { CODR_REPO: '/r' } });
  for (const { config } of [before, after, environment]) assert.equal(config?.repo, '/r');
});

test('backup passes on what was asked, with durations as seconds', async () => {
  const { asked, call } = answering(backedUp);
  await runFake(['backup', 'shop', '--follow', '--rpo', '2m'], { api: { backup: call } });
  await runFake(['backup', 'shop'], { api: { backup: call }, env: { CODR_RPO: '500s' } });
  await runFake(['backup', 'shop'], { api: { backup: call } });
  assert.deepEqual(asked, [
    { source: 'shop', follow: true, rpoSeconds: 120 },
    { source: 'shop', follow: false, rpoSeconds: 500 },
    { source: 'shop', follow: false, rpoSeconds: undefined },
  ]);
});

test('restore passes on every option, lists in the order given', async () => {
  const { asked, call } = answering(restored);
  const words =
    'restore shop --to mongodb://t/ --at 1763816700:42 --include a.* --include b.c --exclude a.x ' +
    '--rename a.b=a.c --token-range -5..7 --query a.b=k=1 --map-dc x=y --map-dc z=y --drop ' +
    '--ttl hold --tombstones keep --no-verify';
  const run = await runFake(words.split(' '), { api: { restore: call } });
  assert.equal(run.exitCode, 0);
  assert.deepEqual(asked, [
    {
      source: 'shop',
      to: 'mongodb://t/',
      at: '1763816700:42',
      include: ['a.*', 'b.c'],
      exclude: ['a.x'],
      renames: ['a.b=a.c'],
      ranges: ['-5..7'],
      queries: ['a.b=k=1'],
      datacenters: ['x=y', 'z=y'],
      drop: true,
      ttl: 'hold',
      tombstones: 'keep',
      verify: false,
    },
  ]);
});

test('restore --dry-run asks for the plan, and ends with 5 when names stand in the way', async () => {
  const estimate = { bytes: 0, bytesPerSecond: 1, seconds: 0 };
  const none = { datasets: [], dropped: [], warnings: [], estimate };
  const skipped = [{ namespace: 'a.w', reason: 'the name is taken' }];
  const made = { definitions: [{ kind: 'views', name: 'a.v' }], skipped };
  const plan = { source: 'shop', at: to, resumes: false, conflicts: ['a.b'], ...none, ...made };
  const words = ['restore', 'shop', '--to', 'mongodb://t/', '--dry-run'];
  const run = await runFake(words, { api: { planRestore: async () => plan } });
  assert.equal(run.exitCode, 5);
  assert.match(
    run.stdout,
    /would make the view a\.v\nin the way: a\.b.*\nskipped a\.w: the name is/,
  );
});

test('a restore that left something out, or that the target changed, ends with 3 and names it', async () => {
  const words = ['restore', 'shop', '--to', 'mongodb://t/'];
  const skipped = { ...restored, skipped: [{ namespace: 'a.v', reason: 'views are off' }] };
  const changed = { ...restored, changedByTarget: [{ namespace: 'a.c', key: '7' }] };
  const first = await runFake(words, { api: { restore: async () => skipped } });
  const second = await runFake(words, { api: { restore: async () => changed } });
  assert.deepEqual([first.exitCode, second.exitCode], [3, 3]);
  assert.match(first.stdout, /skipped a\.v: views are off/);
  assert.match(second.stdout, /changed by the target: a\.c 7/);
});

test('how each dataset was proven is said: by its root, row by row, or not at all', async () => {
  const one = { from: 'a.b', to: 'a.c', records: 2, bytes: 64, proven: true };
  const datasets = [
    { ...one, root: 'ab12' },
    { ...one, root: '', reads: { made: 1_234, own: 0, expired: 1 } },
    { ...one, root: '', proven: false },
  ];
  const words = ['restore', 'shop', '--to', 'mongodb://t/'];
  const { stdout } = await runFake(words, {
    api: { restore: async () => ({ ...restored, datasets }) },
  });
  assert.match(stdout, /same root\n.*1,234 rows compared\n.*not read back/);
});

test('the target may come from the environment, consent never does', async () => {
  const { asked, call } = answering(restored);
  const env = { CODR_TO: 'mongodb://t/', CODR_DROP: 'true' };
  await runFake(['restore', 'shop'], { api: { restore: call }, env });
  const [request] = asked as { to: string; drop: boolean }[];
  assert.deepEqual([request?.to, request?.drop], ['mongodb://t/', false]);
});

test('verify ends with 6 when bytes differ, with 9 when something is damaged, with 3 when unread', async () => {
  const verified = (verdict: VerifyResult['datasets'][number]['verdict']): VerifyResult => ({
    source: 'shop',
    at: to,
    datasets: [{ namespace: 'a.b', verdict, records: 1, bytes: 1 }],
    bytesRead: 0,
    seconds: 0,
  });
  const codes: number[] = [];
  for (const verdict of [
    'whole',
    'equal',
    'different',
    'absent',
    'damaged',
    'unreadable',
  ] as const) {
    const run = await runFake(['verify', 'shop'], {
      api: { verify: async () => verified(verdict) },
    });
    codes.push(run.exitCode);
  }
  assert.deepEqual(codes, [0, 0, 6, 6, 9, 3]);
});

test('points are shown as a timeline with the holes in it', async () => {
  const later = { time: '1763820000:1', wall: '2025-11-22T14:00:00.000Z' };
  const last = { time: '1763821000:1', wall: '2025-11-22T14:16:40.000Z' };
  const points: Points = {
    source: 'shop',
    intervals: [
      { from, to },
      { from: later, to: last },
    ],
    holes: [{ stream: 'rs0', from: to, to: later, reason: 'the log rolled over' }],
    points: [{ id: 'shop-7', ...to, datasets: 3, records: 20_000, bytes: 1024 }],
    lagSeconds: 4,
  };
  const { stdout } = await runFake(['points', 'shop'], { api: { points: async () => points } });
  assert.match(stdout, /^━+●·+━+\n/);
  assert.match(stdout, /hole in rs0 from 2025-11-22T13:05:00\.000Z to .*: the log rolled over/);
  assert.match(stdout, /shop-7 .* 20,000 +1\.00 KiB/);
});

test('an error is one line of what, which object, what to do, then one for each cause', async () => {
  const cause = new Error('connect refused');
  const error = new CodrError('source-unreachable', 'the source shop does not answer', {
    object: 'db1:27017',
    cause,
  });
  const run = await runFake(['backup', 'shop'], { api: { backup: () => Promise.reject(error) } });
  assert.equal(run.exitCode, 9);
  assert.equal(run.stdout, '');
  assert.equal(
    run.stderr,
    'error: the source shop does not answer (db1:27017): check the address and the network\n' +
      '  because: connect refused\n',
  );
});

test('every code of the catalogue is answered with its exit code', async () => {
  const { errorCatalogue } = await import('../base/error-catalogue.ts');
  for (const [code, { exit }] of Object.entries(errorCatalogue)) {
    const error = new CodrError(code as keyof typeof errorCatalogue, 'x');
    const run = await runFake(['status'], { api: { status: () => Promise.reject(error) } });
    assert.equal(run.exitCode, exit, code);
    assert.ok(exit in exitCodes);
  }
});

test('with --json an error is one object on stdout; a stack needs --debug', async () => {
  const error = new CodrError('busy', 'shop is written by host-2', { facts: { writer: 'host-2' } });
  const api: FakeApi = { backup: () => Promise.reject(error) };
  const run = await runFake(['backup', 'shop', '--json'], { api });
  const debug = await runFake(['backup', 'shop', '--json', '--debug'], { api });
  assert.equal(run.exitCode, 10);
  assert.deepEqual(JSON.parse(run.stdout).error, {
    code: 'busy',
    exitCode: 10,
    message: 'shop is written by host-2',
    remedy: 'wait for it, or stop it',
    causes: [],
    facts: { writer: 'host-2' },
  });
  assert.match(JSON.parse(debug.stdout).error.stack, /program\.test\.ts/);
});

test('no password of a URI is shown, not even by an error that holds one', async () => {
  const error = new Error('cannot parse mongodb://codr:hunter2@db1/');
  const run = await runFake(['backup', 'shop', '--debug'], {
    api: { backup: () => Promise.reject(error) },
  });
  assert.equal(run.exitCode, 1);
  assert.match(run.stderr, /mongodb:\/\/codr:\*\*\*@db1/);
  assert.doesNotMatch(run.stderr, /hunter2/);
});

test('wrong usage ends with 2 and names the nearest command or option', async () => {
  const command = await runFake(['bakcup', 'shop']);
  const sub = await runFake(['source', 'ad', 'x', 'y']);
  const option = await runFake(['backup', 'shop', '--folow']);
  const missing = await runFake(['backup']);
  const excess = await runFake(['backup', 'a', 'b']);
  assert.deepEqual(
    [command, sub, option, missing, excess].map(({ exitCode }) => exitCode),
    [2, 2, 2, 2, 2],
  );
  assert.match(command.stderr, /Did you mean backup\?/);
  assert.match(sub.stderr, /Did you mean add\?/);
  assert.match(option.stderr, /Did you mean --follow\?/);
  const json = await runFake(['bakcup', '--json']);
  assert.equal(JSON.parse(json.stdout).error.code, 'usage');
  assert.equal(json.stderr, '');
});

test('wrong values are refused before the API is opened', async () => {
  for (const words of [
    'backup shop --rpo soon',
    'restore shop --to x --rename a',
    'restore shop',
    'key add',
    'source add -x- y',
  ]) {
    const run = await runFake(words.split(' '));
    assert.equal(run.exitCode, 2, words);
    assert.equal(run.config, undefined, words);
  }
});

test('the first interrupt aborts the work and ends with 130, the second ends the process', {
  timeout: 5000,
}, async () => {
  let interrupt = (): void => {};
  const api: FakeApi = {
    backup: (_request, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          interrupt();
          reject(signal.reason);
        });
        interrupt();
      }),
  };
  const run = await runFake(['backup', 'shop'], { api }, (given) => {
    interrupt = given;
  });
  assert.equal(run.exitCode, 130);
  assert.deepEqual(run.exits, [130]);
  assert.match(run.stderr, /can be resumed: run the same command again to resume\n$/);
  assert.equal(run.closed, true);
});

test('following that is told to stop, and commits, ends with 0', { timeout: 5000 }, async () => {
  let interrupt = (): void => {};
  const api: FakeApi = {
    backup: (_request, { signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(backedUp));
        interrupt();
      }),
  };
  const run = await runFake(['backup', 'shop', '--follow'], { api }, (given) => {
    interrupt = given;
  });
  assert.equal(run.exitCode, 0);
});

test('progress goes to stderr: JSON lines with --json, a rewritten line on a terminal, else plain lines', async () => {
  const api: FakeApi = {
    async backup(_request, { progress }) {
      progress?.({
        phase: 'base copy',
        records: 1200,
        bytes: 4096,
        recordsTotal: 5000,
        seconds: 2,
        etaSeconds: 6,
      });
      return backedUp;
    },
  };
  const json = await runFake(['backup', 'shop', '--json'], { api });
  const plain = await runFake(['backup', 'shop'], { api });
  const terminal = await runFake(['backup', 'shop'], { api, terminal: true });
  const text = 'base copy  1,200 of 5,000 records  24%  4.00 KiB  2.00 KiB/s  2.0 s, 6.0 s left';
  assert.equal(JSON.parse(json.stderr).progress.records, 1200);
  const end = 'base copy  1,200 records  100%  4.00 KiB  2.00 KiB/s  2.0 s';
  assert.equal(plain.stderr, `${text}\n${end}\n`);
  assert.equal(terminal.stderr, `\r${text}\u001b[K\r\u001b[K`);
});

test('colours are for terminals, and never with NO_COLOR', async () => {
  const api: FakeApi = { backup: async () => backedUp };
  const coloured = await runFake(['backup', 'shop'], { api, terminal: true });
  const asked = await runFake(['backup', 'shop'], { api, terminal: true, env: { NO_COLOR: '1' } });
  const piped = await runFake(['backup', 'shop'], { api });
  assert.ok(coloured.stdout.includes('\u001b[32m'));
  assert.ok(!asked.stdout.includes('\u001b['));
  assert.ok(!piped.stdout.includes('\u001b['));
});

test('every command has help with an example, and no two of its options share a name', async () => {
  for (const { path, input } of commands) {
    const run = await runFake([...path.split(' '), '--help']);
    assert.equal(run.exitCode, 0, path);
    assert.match(run.stdout, new RegExp(`Examples?:\\n.*codr ${path.split(' ')[0]}`, 's'), path);
    assert.equal(new Set(optionRows(input).map(({ flag }) => flag)).size, optionRows(input).length);
  }
});

test('the demo tells its steps, and ends with 6 when the proof fails', async () => {
  const result = {
    proven: false,
    restoredTo: to.wall,
    disasterAt: to.wall,
    records: 100,
    restoreSeconds: 1,
    seconds: 2,
    kept: [],
  };
  const run = await runFake(['demo', '--records', '100'], {
    runDemo: async (options, tell) => {
      tell({ kind: 'step', title: `write ${options.records} records` });
      tell({ kind: 'done', text: 'written', seconds: 0.5 });
      return result;
    },
  });
  assert.equal(run.exitCode, 6);
  assert.match(run.stdout, /^write 100 records\n {2}✓ written {2}0\.50 s\n/);
});
