// Errors as gRPC carries them: a status code for machines in between, and a rich status in the trailers from
// which a client makes the same CodrError again. The one table from our codes to those of gRPC.
import { status as codes, Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { CodrError } from '../../base/error.ts';
import type { ErrorCode } from '../../base/error-catalogue.ts';
import { errorDetail, errorFromDetail } from '../error-detail.ts';
import type { ErrorDetail } from '../operations.ts';
import { fromWire, toWire, WireError } from './mapper.ts';
import { typeNamed } from './protos.ts';

const key = 'grpc-status-details-bin';
const detailUrl = 'type.googleapis.com/codr.v1.ErrorDetail';

/**
 * Never UNAVAILABLE: that is the word of a connection, upon which clients send again. A source or a store that
 * does not answer is known after our own retries.
 */
const statusCodes: Readonly<Partial<Record<ErrorCode, codes>>> = {
  usage: codes.INVALID_ARGUMENT,
  'config-invalid': codes.INVALID_ARGUMENT,
  'source-unknown': codes.NOT_FOUND,
  'namespace-unknown': codes.NOT_FOUND,
  'record-unknown': codes.NOT_FOUND,
  'operation-unknown': codes.NOT_FOUND,
  'repository-missing': codes.NOT_FOUND,
  'source-exists': codes.ALREADY_EXISTS,
  'repository-exists': codes.ALREADY_EXISTS,
  'time-not-restorable': codes.OUT_OF_RANGE,
  'access-denied': codes.PERMISSION_DENIED,
  'object-missing': codes.DATA_LOSS,
  'object-damaged': codes.DATA_LOSS,
  'lineage-broken': codes.DATA_LOSS,
  busy: codes.ABORTED,
  'lease-lost': codes.ABORTED,
  interrupted: codes.CANCELLED,
  failed: codes.UNKNOWN,
};

/** A message that cannot be read is the caller's fault. */
export function asCallError(thrown: unknown): unknown {
  return thrown instanceof WireError ? new CodrError('usage', thrown.message) : thrown;
}

export function statusOf(thrown: unknown, redact: (text: string) => string): StatusObject {
  const detail = fitted(errorDetail(asCallError(thrown), redact));
  const isStranger = thrown instanceof CodrError && thrown.facts.authenticated === false;
  const known = statusCodes[detail.code as ErrorCode] ?? codes.FAILED_PRECONDITION;
  const code = isStranger ? codes.UNAUTHENTICATED : known;
  const value = encode('codr.v1.ErrorDetail', toWire('codr.v1.ErrorDetail', detail));
  const details = [{ type_url: detailUrl, value }];
  const metadata = new Metadata();
  metadata.set(key, encode('codr.v1.RichStatus', { code, message: detail.message, details }));
  // It travels in a header: other than ASCII is percent-encoded by the library.
  return { code, details: detail.message, metadata };
}

/** Trailers are headers: proxies give up at 4 KiB, and base64 makes a third more of what is here. */
const detailBytesMax = 1536;

/** What is least needed is left out first, until it fits: facts, far causes, ends of sentences. */
function fitted(detail: ErrorDetail): ErrorDetail {
  const { factsJson: _, ...rest } = detail;
  const short = (text: string, length: number): string =>
    Buffer.byteLength(text) <= length ? text : `${Buffer.from(text).subarray(0, length - 3)}…`;
  const object = rest.object === undefined ? {} : { object: short(rest.object, 200) };
  const cut = {
    ...rest,
    ...object,
    message: short(rest.message, 500),
    remedy: short(rest.remedy, 200),
  };
  const trials: readonly ErrorDetail[] = [
    detail,
    rest,
    { ...rest, causes: rest.causes.slice(0, 2).map((cause) => short(cause, 200)) },
    { ...cut, causes: rest.causes.slice(0, 1).map((cause) => short(cause, 200)) },
  ];
  const sizeOf = (one: ErrorDetail): number =>
    encode('codr.v1.ErrorDetail', toWire('codr.v1.ErrorDetail', one)).length;
  // The message stands in a header of its own, too, three characters for each byte that is not ASCII.
  const fits = (one: ErrorDetail): boolean =>
    sizeOf(one) <= detailBytesMax && encodeURIComponent(one.message).length <= detailBytesMax;
  return trials.find(fits) ?? { ...cut, causes: [] };
}

/** The CodrError that a peer has sent; undefined when the failure is not of its making. */
export function sentError(error: ServiceError): CodrError | undefined {
  const [bytes] = error.metadata?.get(key) ?? [];
  if (!(bytes instanceof Buffer)) return undefined;
  try {
    const { details } = decode('codr.v1.RichStatus', bytes) as {
      readonly details: readonly { readonly type_url?: string; readonly value: Buffer }[];
    };
    // The loader gives names of well-known types in camel case too.
    const detail = details.find((one) => urlOf(one) === detailUrl);
    if (!detail) return undefined;
    const wire = decode('codr.v1.ErrorDetail', detail.value);
    return errorFromDetail(fromWire('codr.v1.ErrorDetail', wire) as ErrorDetail);
  } catch {
    return undefined;
  }
}

const urlOf = (any: object): unknown => ('typeUrl' in any ? any.typeUrl : Object(any).type_url);

function encode(name: string, wire: object): Buffer {
  return messageNamed(name).serialize(wire);
}

function decode(name: string, bytes: Buffer): object {
  return messageNamed(name).deserialize(bytes);
}

function messageNamed(name: string) {
  return typeNamed(name, '') as Extract<ReturnType<typeof typeNamed>, { serialize: unknown }>;
}
