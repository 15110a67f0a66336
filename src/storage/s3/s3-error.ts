// What the answers of an S3 server, and the lack of one, mean to the store's callers.
import { CodrError } from '../../base/error.ts';

/** The fields of the SDK's errors that are looked at. */
interface ServerError {
  readonly name: string;
  readonly message: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Answers that no waiting changes, by the server's code; the remedy tells people what to do. */
const lasting: Readonly<Record<string, string>> = {
  AccessDenied: 'give the key of this process rights to list, read, write and delete in the bucket',
  AllAccessDisabled: 'ask the owner of the bucket',
  InvalidAccessKeyId: 'correct the access key (AWS_ACCESS_KEY_ID, or the profile)',
  SignatureDoesNotMatch: 'correct the secret key (AWS_SECRET_ACCESS_KEY, or the profile)',
  ExpiredToken: 'renew the credentials of this process',
  InvalidToken: 'renew the credentials of this process',
  NoSuchBucket: 'create the bucket, or correct its name',
  InvalidBucketName: 'correct the name of the bucket',
  PermanentRedirect: 'name the region of the bucket in the URL (region=…)',
  AuthorizationHeaderMalformed: 'name the region of the bucket in the URL (region=…)',
  CredentialsProviderError:
    'give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role',
  EntityTooLarge: 'use a store that takes objects of 64 MiB',
  QuotaExceeded: 'raise the quota of the bucket; the work resumes',
  XMinioStorageFull: 'free space in the store; the work resumes',
};
const distrust =
  'let "ca" in the URL of the repository name the certificate of the store\'s authority';
/** Why a connection was not trusted; nothing was sent over it. */
const lastingCodes: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: distrust,
  UNABLE_TO_GET_ISSUER_CERT: distrust,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: distrust,
  SELF_SIGNED_CERT_IN_CHAIN: distrust,
  DEPTH_ZERO_SELF_SIGNED_CERT: distrust,
  CERT_HAS_EXPIRED: "renew the store's certificate, or correct the clock of this machine",
  CERT_NOT_YET_VALID: "correct the clock of this machine, or the store's certificate",
  ERR_TLS_CERT_ALTNAME_INVALID: 'use a name of the store that stands in its certificate',
};
const absent = 'check the endpoint, and that the store runs; the work resumes';
/** Nobody is there, or who speaks no TLS, which may pass: what is asked for may be wrong all the same. */
const doubtfulCodes: Readonly<Record<string, string>> = {
  ...{ ECONNREFUSED: absent, ENOTFOUND: absent, EHOSTUNREACH: absent, ENETUNREACH: absent },
  EPROTO: 'check the endpoint: where its server speaks no TLS, it begins with http://',
};
const fullNames = new Set(['QuotaExceeded', 'XMinioStorageFull']);
const lastingStatus = new Set([301, 400, 401, 403, 405, 411, 501, 507]);
/** Refusals that say "later", whatever their status, and what was cut short or damaged on its way to the server. */
const passing = new Set([
  ...['RequestTimeout', 'RequestTimeTooSkewed', 'SlowDown', 'Throttling'],
  ...['BadDigest', 'IncompleteBody', 'XAmzContentSHA256Mismatch'],
]);

/** What the SDK says before it sends anything. */
const regionMissing = 'Region is missing';

/** Status code of the answer; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  return (error as ServerError | undefined)?.$metadata?.httpStatusCode;
}

/**
 * `store-unreachable` with the cause; `facts.transient` is false where trying again is of no use. What
 * has a code of ours passes untouched.
 */
export function s3Error(error: unknown, what: string, object: string): CodrError {
  if (error instanceof CodrError) return error;
  const { name = 'Error', message = '' } = (error ?? {}) as Partial<ServerError>;
  if (message === regionMissing) {
    return new CodrError('usage', 'the region of the store is not known', {
      ...{ object, cause: error },
      remedy: 'let "region" in the URL of the repository name it, or set AWS_REGION',
    });
  }
  const status = statusOf(error);
  const remedy = lasting[name] ?? lastingCodes[codeOf(error) ?? ''];
  const doubt = remedy ?? doubtfulCodes[codeOf(error) ?? ''];
  const isLasting =
    !passing.has(name) &&
    (remedy !== undefined || (status !== undefined && lastingStatus.has(status)));
  const said = status === undefined ? (codeOf(error) ?? name) : `${status} ${name}`;
  const detail = isLasting && message && message !== name ? `: ${message}` : '';
  return new CodrError('store-unreachable', `cannot ${what} ${object}: ${said}${detail}`, {
    object,
    cause: error,
    facts: {
      ...{ transient: !isLasting, ...(status !== undefined && { status }) },
      ...((fullNames.has(name) || status === 507) && { refuses: 'full' }),
      ...(isLasting && status === 403 && { refuses: 'rights' }),
    },
    ...(doubt !== undefined && { remedy: doubt }),
  });
}

/** What the SDK takes beside a command. */
export interface Abortable {
  readonly abortSignal?: AbortSignal;
}

export function abortable(signal?: AbortSignal): Abortable {
  return signal ? { abortSignal: signal } : {};
}

/** One call: an aborted signal rejects with its reason, all else as {@link s3Error} says. */
export async function sent<T>(
  what: string,
  object: string,
  signal: AbortSignal | undefined,
  call: (abort: Abortable) => Promise<T>,
): Promise<T> {
  try {
    return await call(abortable(signal));
  } catch (error) {
    signal?.throwIfAborted();
    throw s3Error(error, what, object);
  }
}

/** `ECONNREFUSED` and the like. */
function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
