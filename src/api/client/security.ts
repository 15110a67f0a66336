// How a client proves itself and knows its peer: TLS, a certificate, a token.
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import {
  type ChannelCredentials,
  type ChannelOptions,
  credentials,
  experimental,
  Metadata,
} from '@grpc/grpc-js';
import { CodrError } from '../../base/error.ts';
import type { HeldCertificates } from '../grpc/held-certificates.ts';

/** Contents in PEM; without `ca` the authorities of the system. */
export interface ClientTls {
  readonly ca?: Uint8Array;
  readonly cert?: Uint8Array;
  readonly key?: Uint8Array;
}

export interface ClientSecurity {
  /** `insecure`: neither encrypted nor proven, for a peer without TLS. */
  readonly tls: ClientTls | 'insecure';
  /** Sent with every call. */
  readonly token?: string;
  /** In place of those in `tls`, where they are renewed while connections use them. */
  readonly held?: HeldCertificates;
}

type VerifyOptions = Exclude<Parameters<typeof credentials.createSsl>[3], undefined>;

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]):\d+$/;

/** Errors: `config-invalid`. */
export function channelCredentials(address: string, security: ClientSecurity): ChannelCredentials {
  const { tls, token, held } = security;
  if (tls === 'insecure') {
    if (token === undefined || loopback.test(address)) return credentials.createInsecure();
    throw new CodrError('config-invalid', 'a token would travel unencrypted', {
      object: address,
      remedy: 'leave out --insecure, or the token',
    });
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new CodrError('config-invalid', 'a certificate and its key belong together', {
      remedy: 'give both --cert and --key, or none',
    });
  }
  const [ca = null, key = null, cert = null] = [tls.ca, tls.key, tls.cert].map(
    (pem) => pem && Buffer.from(pem),
  );
  const host = hostOf(address);
  const verify: VerifyOptions = {
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  };
  if (held) return experimental.createCertificateProviderChannelCredentials(held, held, verify);
  try {
    return credentials.createSsl(ca, key, cert, verify);
  } catch (cause) {
    throw new CodrError('config-invalid', 'a certificate or key cannot be read', { cause });
  }
}

/**
 * An address of numbers is no name that TLS could send, and Node warns of it; the certificate is compared with the
 * address all the same.
 */
export function nameOptions(address: string): ChannelOptions {
  return isIP(hostOf(address)) === 0 ? {} : { 'grpc.ssl_target_name_override': 'localhost' };
}

/** Of `host:port`; IPv6 without its brackets. */
const hostOf = (address: string): string =>
  address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');

/** What goes with every call. */
export function callMetadata({ token }: ClientSecurity): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}
