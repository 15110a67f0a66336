import assert from 'node:assert/strict';
import { test } from 'node:test';
import { releaseHas } from './capability.ts';

test('a release has what came with it, with an older one, or was ported back to its series', () => {
  const releases = ['5.0.29', '6.0.17', '8.0.0'];
  const having = (versions: readonly string[]): readonly string[] =>
    versions.filter((version) => releaseHas(version, releases));
  const older = ['5.0.4', '5.0.28', '6.0.5', '5.3.1', '7.0.30'];
  const newer = ['5.0.29', '6.0.17', '6.0.27', '8.0.0', '8.0.12', '10.0.0'];
  assert.deepEqual(having([...older, ...newer]), newer);
});
