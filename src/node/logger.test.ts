import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { CodrError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import { type LogDestination, openLogger } from './logger.ts';
import { redactFields, redactFieldsWithStacks, redactText } from './logger-redact.ts';

/** The lines that `work` logs. */
function logged(
  work: (log: Logger) => void,
  form: LogDestination['form'] = 'json',
  stacks = false,
): string[] {
  const lines: string[] = [];
  work(openLogger('info', { form, stacks, write: (line) => lines.push(line) }));
  return lines;
}

test('passwords of URIs are hidden, also those that hold unescaped signs', () => {
  assert.equal(redactText('at mongodb://u:pw@h1,h2/db now'), 'at mongodb://u:***@h1,h2/db now');
  assert.equal(redactText('mongodb+srv://u:p@ss/w:rd@h/'), 'mongodb+srv://u:***@h/');
  assert.equal(
    redactText('mongodb://h:27017/db?replicaSet=rs0'),
    'mongodb://h:27017/db?replicaSet=rs0',
  );
  assert.equal(redactText('nothing to hide: a@b'), 'nothing to hide: a@b');
});

test('secret parameters of URIs are hidden', () => {
  const text =
    's3://b/p?endpoint=https://h&secretAccessKey=abc&region=eu and x?tlsCertificateKeyFilePassword=q';
  assert.equal(
    redactText(text),
    's3://b/p?endpoint=https://h&secretAccessKey=***&region=eu and x?tlsCertificateKeyFilePassword=***',
  );
});

test('fields whose name says that they hold a secret are hidden at any depth, paths to files are not', () => {
  const fields = {
    password: 'a',
    config: { passphrase: 'b', passwordFile: '/etc/p', nested: [{ secretKey: Buffer.from('c') }] },
    key: 'd',
    records: 7,
  };
  assert.deepEqual(redactFields(fields), {
    password: '***',
    config: { passphrase: '***', passwordFile: '/etc/p', nested: [{ secretKey: '***' }] },
    key: '***',
    records: 7,
  });
});

test('byte arrays are logged as their length, big numbers as text, errors with stacks and chain on request', () => {
  const cause = new Error('mongodb://u:pw@h refused');
  const error = new CodrError('source-unreachable', 'no answer', { cause });
  const out = redactFieldsWithStacks({ record: new Uint8Array(3), time: 5n, error });
  const shown = out.error as { code: string; cause: { message: string; stack: string } };
  assert.deepEqual([out.record, out.time, shown.code], ['<3 bytes>', '5', 'source-unreachable']);
  assert.equal(shown.cause.message, 'mongodb://u:***@h refused');
  assert.doesNotMatch(JSON.stringify(out), /pw/);
});

test('no secret passes the log: not in fields, not in sentences, not in what a child carries', () => {
  const lines = logged((log) => {
    log.info({ password: 'hunter2' }, 'opening mongodb://u:hunter2@h');
    log.child({ uri: 'mongodb://u:hunter2@h', secret: 'hunter2' }).warn({}, 'child');
  });
  assert.equal(lines.length, 2);
  assert.doesNotMatch(lines.join(''), /hunter2/);
  assert.equal(JSON.parse(lines[0] as string).msg, 'opening mongodb://u:***@h');
});

test('lines are JSON, or for people, who see no day on a terminal; lower levels are left out', () => {
  const work = (log: Logger): void => {
    log.debug({}, 'unseen');
    log.warn({ source: 'shop', note: 'two words' }, 'log is short');
  };
  const [json, ...rest] = logged(work);
  const { time, ...fields } = JSON.parse(json as string);
  assert.match(time, /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(fields, {
    level: 'warn',
    source: 'shop',
    note: 'two words',
    msg: 'log is short',
  });
  assert.deepEqual(rest, []);
  const [line] = logged(work, 'terminal');
  assert.match(
    stripVTControlCharacters(line as string),
    /^\r\d\d:\d\d:\d\d\.\d{3} WARN {2}log is short source=shop note="two words"\n$/,
  );
});

test('an error is one line of its code and its causes, each told once; its stack is there when wanted', () => {
  const refused = new Error('connect ECONNREFUSED h:1');
  const driver = new Error('no server of mongodb://u:hunter2@h\n was found', { cause: refused });
  const error = new CodrError(
    'source-unreachable',
    'h:1 does not answer: connect ECONNREFUSED h:1',
    {
      cause: driver,
    },
  );
  const work = (log: Logger): void => log.child({ error }).warn({ error, attempt: 2 }, 'again');
  const line =
    'source-unreachable: h:1 does not answer: connect ECONNREFUSED h:1: ' +
    'no server of mongodb://u:***@h was found';
  const [json] = logged(work);
  const [text] = logged(work, 'terminal');
  assert.equal(JSON.parse(json as string).error, line);
  assert.ok((text as string).endsWith(`again error=${JSON.stringify(line)} attempt=2\n`), text);
  assert.equal((text as string).split('\n').length, 2);
  const [debug] = logged(work, 'json', true);
  assert.match(JSON.parse(debug as string).error.cause.stack, /logger\.test\.ts/);
});
