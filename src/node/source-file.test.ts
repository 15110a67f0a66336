import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isCodrError } from '../base/error.ts';
import { readSourceFile } from './source-file.ts';

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
