import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status as codes, type ServiceError } from '@grpc/grpc-js';
import { CodrError } from '../../base/error.ts';
import { type ErrorCode, errorCatalogue } from '../../base/error-catalogue.ts';
import { WireError } from './mapper.ts';
import { sentError, statusOf } from './status.ts';

const open = (text: string): string => text;

/** What a client makes of what a server throws. */
const arrived = (thrown: unknown): CodrError | undefined =>
  sentError(statusOf(thrown, open) as ServiceError);

test('every code of the catalogue arrives, with its exit code', () => {
  for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
    const sent = new CodrError(code, 'it was so', { object: 'shop', facts: { n: 1 } });
    const got = arrived(sent);
    assert.deepEqual(
      [got?.code, got?.message, got?.object, got?.remedy, got?.exitCode, got?.facts],
      [code, 'it was so', 'shop', sent.remedy, sent.exitCode, { n: 1 }],
    );
  }
});

test('no error of ours has the status upon which clients send again', () => {
  for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
    const { code: status } = statusOf(new CodrError(code, 'm'), open);
    assert.notEqual(status, codes.UNAVAILABLE, code);
    assert.notEqual(status, codes.OK, code);
  }
});

test('causes come along as a chain', () => {
  const inner = new Error('outer cause', { cause: new Error('inner cause') });
  const got = arrived(new CodrError('failed', 'm', { cause: inner }));
  const causes = [got?.cause, got?.cause instanceof Error ? got.cause.cause : undefined];
  assert.deepEqual(causes.map(String), ['Error: outer cause', 'Error: inner cause']);
});

test('an error that is none of ours arrives as failed, and a message that cannot be read as usage', () => {
  assert.equal(arrived(new TypeError('x is not a function'))?.code, 'failed');
  assert.equal(arrived('thrown text')?.message, 'thrown text');
  assert.equal(arrived(new WireError('Span.to is missing'))?.code, 'usage');
});

test('a stranger is told from one who may not', () => {
  const denied = (authenticated: boolean): CodrError =>
    new CodrError('access-denied', 'm', { facts: { authenticated } });
  assert.equal(statusOf(denied(false), open).code, codes.UNAUTHENTICATED);
  assert.equal(statusOf(denied(true), open).code, codes.PERMISSION_DENIED);
});

test('whatever is long is cut so that trailers stay below what proxies take', () => {
  for (const text of ['a long sentence, ', 'größer als gedacht, ', '☃']) {
    const long = text.repeat(5000);
    const error = new CodrError('busy', long, {
      object: long,
      remedy: long,
      facts: { long },
      cause: new Error(long, { cause: new Error(long) }),
    });
    const { details, metadata } = statusOf(error, open);
    const [bytes] = metadata?.get('grpc-status-details-bin') ?? [];
    const size = Buffer.from(bytes ?? '').toString('base64').length;
    assert.ok(size + encodeURIComponent(details).length < 4000, `${size} of ${details.length}`);
    const got = arrived(error);
    assert.equal(got?.code, 'busy');
    assert.ok(got?.message.startsWith(text), got?.message);
    assert.match(got?.message ?? '', /…$/);
  }
});

test('a failure that no peer has described is not taken for one of its errors', () => {
  assert.equal(sentError({ code: 14, details: 'gone' } as ServiceError), undefined);
  const status = statusOf(new CodrError('busy', 'm'), open);
  status.metadata?.set('grpc-status-details-bin', Buffer.from('garbage'));
  assert.equal(sentError(status as ServiceError), undefined);
});
