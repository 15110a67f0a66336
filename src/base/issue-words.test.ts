import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { issueWords } from './issue-words.ts';

const schema = z.strictObject({
  name: z.string().min(1),
  limits: z.strictObject({ workers: z.number().int().min(1).max(9) }),
  roles: z.array(z.enum(['viewer', 'admin'])).min(1),
  address: z.string().regex(/:/, 'not host:port'),
});
const fine = { name: 'n', limits: { workers: 1 }, roles: ['admin'], address: 'a:1' };

test('what is wrong with a field is said in words of people, and where it is', () => {
  for (const [given, said] of [
    [{ ...fine, nmae: 'x' }, 'nmae: not a known field'],
    [{ ...fine, limits: { workers: 1, wrokers: 1 } }, 'limits.wrokers: not a known field'],
    [{ ...fine, name: undefined }, 'name: missing'],
    [{ ...fine, name: ['n'] }, 'name: not a text'],
    [{ ...fine, name: '' }, 'name: empty'],
    [{ ...fine, limits: { workers: 'two' } }, 'limits.workers: not a number'],
    [{ ...fine, limits: { workers: 0 } }, 'limits.workers: less than 1'],
    [{ ...fine, limits: { workers: 10 } }, 'limits.workers: more than 9'],
    [{ ...fine, limits: { workers: 1.5 } }, 'limits.workers: not a whole number'],
    [{ ...fine, roles: ['boss'] }, 'roles.0: none of viewer, admin'],
    [{ ...fine, roles: [] }, 'roles: empty'],
    [{ ...fine, address: 'a' }, 'address: not host:port'],
    [null, 'the file: not a group of fields'],
  ] as const) {
    const read = schema.safeParse(given);
    assert.equal(issueWords(read.error?.issues[0]), said);
  }
});

test('no value is shown', () => {
  const read = schema.safeParse({ ...fine, name: { secret: 'hidden' }, roles: ['hidden'] });
  for (const issue of read.error?.issues ?? []) assert.doesNotMatch(issueWords(issue), /hidden/);
});
