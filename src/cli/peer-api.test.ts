import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../base/error.ts';
import { loadConfig } from '../node/config.ts';
import { openPeer } from './peer-api.ts';

function refusal(flags: Record<string, unknown>, address = 'n1:7420'): string {
  try {
    openPeer(address, loadConfig(flags, {}));
  } catch (error) {
    assert.ok(isCodrError(error), String(error));
    return `${error.code}: ${error.message}`;
  }
  return 'accepted';
}

test('a peer is accepted with and without TLS, and nothing is connected yet', () => {
  assert.equal(refusal({}), 'accepted');
  assert.equal(refusal({ insecure: true }), 'accepted');
});

test('certificates without TLS, missing files and half a pair are refused with their flags', () => {
  assert.match(refusal({ insecure: true, ca: '/ca.pem' }), /^config-invalid: certificates mean/);
  assert.match(refusal({ ca: '/no/such' }), /^config-invalid: --ca: the file \/no\/such cannot/);
  assert.match(refusal({ cert: '/no/such' }), /^config-invalid: --cert: the file/);
  assert.match(refusal({}, 'n1'), /^config-invalid: n1 is not host:port/);
});
