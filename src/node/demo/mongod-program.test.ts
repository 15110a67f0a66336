import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findMongod } from './mongod-program.ts';

test('a named program that is no mongod is a wrong value, and the remedy names where it is given', async () => {
  for (const path of ['/nowhere/mongod', '/bin/false']) {
    await assert.rejects(findMongod({ CODR_MONGOD: path }), {
      code: 'config-invalid',
      message: `${path} is no mongod that runs`,
      remedy: 'name a mongod of version 5.0 or later by --mongod or CODR_MONGOD, or leave both out',
    });
  }
});
