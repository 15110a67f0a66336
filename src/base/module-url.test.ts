import assert from 'node:assert/strict';
import { test } from 'node:test';
import { moduleUrl } from './module-url.ts';

test('a module beside a source is a source, beside a built module a built one', () => {
  const source = moduleUrl('./sealing-worker.ts', 'file:///codr/src/repository/pack.ts');
  const built = moduleUrl('./sealing-worker.ts', 'file:///codr/dist/repository/pack.js');
  assert.equal(source.href, 'file:///codr/src/repository/sealing-worker.ts');
  assert.equal(built.href, 'file:///codr/dist/repository/sealing-worker.js');
});
