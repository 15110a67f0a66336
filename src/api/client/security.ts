// How a client proves itself and knows its peer: TLS, a certificate, a token.
import { type ChannelCredentials, credentials, Metadata } from '@grpc/grpc-js';
import { CodrError } from '../../base/error.ts';

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
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]):\d+$/;

/** Errors: `config-invalid`. */
export function channelCredentials(address: string, security: ClientSecurity): ChannelCredentials {
  const { tls, token } = security;
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
  try {
    return credentials.createSsl(ca, key, cert);
  } catch (cause) {
    throw new CodrError('config-invalid', 'a certificate or key cannot be read', { cause });
  }
}

/** What goes with every call. */
export function callMetadata({ token }: ClientSecurity): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}
