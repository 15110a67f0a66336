import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isCodrError } from '../base/error.ts';
import { clusterText, readSourceFile, sourceFileText } from './source-file.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'codr-source-file-'));
});
after(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function read(more: string) {
  const path = join(folder, 'source.yaml');
  await writeFile(path, `kind: some\ncontactPoints: [a, b]\n${more}`);
  return await readSourceFile(path);
}

test('a file that is not there is named, with what else may stand in its place', async () => {
  const path = join(folder, 'none.yaml');
  await assert.rejects(
    readSourceFile(path),
    (error) =>
      isCodrError(error, 'config-invalid') &&
      error.message === `the file ${path} cannot be read` &&
      /mongodb:/.test(error.remedy),
  );
});

test('a file that is no YAML is told where it breaks', async () => {
  await assert.rejects(read('nodes: [ '), /source\.yaml: is no YAML: .* at line 3, column 10$/);
});

test('files of secrets are meant from the folder of the file, wherever they are named', async () => {
  const { uri, passwordFile, settings } = await read(
    'passwordFile: cql\ntls: { ca: ca.pem }\nnodes: { x: { control: { passwordFile: jmx, port: 1 } } }\n',
  );
  assert.equal(uri, 'some://a,b');
  assert.equal(passwordFile, join(folder, 'cql'));
  assert.deepEqual(settings, {
    ...{ kind: 'some', contactPoints: ['a', 'b'], tls: { ca: join(folder, 'ca.pem') } },
    nodes: { x: { control: { passwordFile: join(folder, 'jmx'), port: 1 } } },
  });
});

test('a password in the file is refused wherever it stands, and not shown', async () => {
  for (const [field, text] of [
    ['password', 'password: hush\n'],
    ['nodes.x.control.password', 'nodes: { x: { control: { password: hush } } }\n'],
  ] as const) {
    await assert.rejects(read(text), (error) => {
      assert.ok(isCodrError(error, 'config-invalid'));
      assert.match(error.message, new RegExp(`${field.replaceAll('.', '\\.')}: a secret`));
      assert.doesNotMatch(error.message, /hush/);
      return true;
    });
  }
});

test('what a client sends of a file says the same as the file, wherever it is read', async () => {
  const more =
    'passwordFile: cql\ntls: { ca: ca.pem }\nnodes: { x: { control: { passwordFile: jmx } } }\n';
  const file = await read(more);
  const path = join(folder, 'source.yaml');
  const text = await sourceFileText(path);
  assert.deepEqual(await readSourceFile(text), file);
  assert.equal(await clusterText(path), text);
  assert.equal(await clusterText('some://a:1'), 'some://a:1');
});

test('a text that was sent names files by absolute paths and holds no password; faults do not show it', async () => {
  const sent = { kind: 'some', contactPoints: ['a'] };
  const refused = (more: object, fault: RegExp) =>
    assert.rejects(readSourceFile(JSON.stringify({ ...sent, ...more })), (error) => {
      assert.ok(isCodrError(error, 'config-invalid'));
      assert.match(error.message, fault);
      assert.equal(error.object, 'the file that was sent');
      return true;
    });
  await refused({ passwordFile: 'cql' }, /passwordFile: cql is no absolute path/);
  await refused({ tls: { ca: 'ca.pem' } }, /tls: ca\.pem is no absolute path/);
  const inner = { nodes: { x: { passwordFile: 'jmx' } } };
  await refused(inner, /nodes\.x\.passwordFile: jmx is no absolute path/);
  await refused({ password: 'hush' }, /password: a secret does not belong/);
  await refused({ contactPoints: [] }, /contactPoints: /);
});
