import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { isCodrError } from '../base/error.ts';
import { type AccessRules, authoriseBy } from './access.ts';
import { apiMethods, operationRule } from './api-methods.ts';
import { type OperationKind, operationMethods } from './operations.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const rules: AccessRules = {
  certificates: [
    { name: 'ann', roles: ['admin'] },
    { name: 'n2', roles: ['viewer'] },
  ],
  tokens: [{ name: 'ci', roles: ['operator'], sha256: sha256('let me in').toUpperCase() }],
  peers: ['n1', 'n2'],
};
const authorise = authoriseBy(rules);

test('a caller is known by the name in its certificate', () => {
  assert.deepEqual(authorise({ certificateName: 'ann' }), { name: 'ann', roles: ['admin'] });
  assert.equal(authorise({ certificateName: 'bob' }), undefined);
  assert.equal(authorise({}), undefined);
});

test('a caller is known by its token, of which only the hash is configured', () => {
  assert.deepEqual(authorise({ token: 'let me in' }), { name: 'ci', roles: ['operator'] });
  assert.equal(authorise({ token: 'let me out' }), undefined);
  assert.equal(authorise({ token: '' }), undefined);
});

test('a wrong token is refused, whatever certificate comes with it', () => {
  assert.equal(authorise({ token: 'wrong', certificateName: 'ann' }), undefined);
});

test('a peer is nothing but a peer, unless the rules say more', () => {
  assert.deepEqual(authorise({ certificateName: 'n1' })?.roles, ['peer']);
  assert.deepEqual(authorise({ certificateName: 'n2' })?.roles, ['viewer', 'peer']);
});

test('a hash that is none is refused when the rules are read', () => {
  const wrong = { ...rules, tokens: [{ name: 'ci', roles: [], sha256: 'abc' }] };
  assert.throws(
    () => authoriseBy(wrong),
    (error) => isCodrError(error, 'config-invalid'),
  );
});

test('the table of roles: who may do what', () => {
  const may = (role: string): string[] =>
    Object.entries(apiMethods)
      .filter(([, rule]) => (rule.roles as readonly string[]).includes(role))
      .map(([method]) => method)
      .sort();
  const looks = ['listDatasets', 'listKeys', 'listOperations', 'listSources', 'points'];
  const viewer = [...looks, 'showSource', 'status'];
  assert.deepEqual(may('viewer'), viewer);
  const looksAfter = ['cancelOperation', 'check', 'checkSource', 'checkpoint', 'limitSource'];
  assert.deepEqual(may('operator'), ['backup', 'verify', ...looksAfter, ...viewer].sort());
  const restorer = ['cancelOperation', 'getRecord', 'planRestore', 'restore', 'verify'];
  assert.deepEqual(may('restorer'), [...restorer, ...viewer].sort());
  assert.deepEqual(may('admin'), Object.keys(apiMethods).sort());
  assert.deepEqual(may('peer'), ['listOperations']);
});

test('whatever changes something is marked as that, and nothing else is', () => {
  const changing = Object.entries(apiMethods)
    .filter(([, { changes }]) => changes)
    .map(([method]) => method)
    .sort();
  const kinds = Object.keys(operationMethods) as OperationKind[];
  const quick = ['addKey', 'cancelOperation', 'init', 'limitSource', 'removeKey'];
  assert.deepEqual(changing, [...quick, ...Object.values(operationMethods)].sort());
  for (const kind of kinds) assert.equal(operationRule(kind).kind, kind);
});
