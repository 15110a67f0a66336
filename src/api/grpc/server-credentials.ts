// TLS of a server whose callers bring a certificate, or a token instead. The usual way of the library knows only
// "must" and "need not be asked"; by certificate providers a certificate is asked for and may be missing.
// One that no authority of ours has signed is as good as none.
import { experimental, ServerCredentials } from '@grpc/grpc-js';
import { HeldCertificates } from './held-certificates.ts';

/** Contents in PEM. */
export interface ServerTls {
  /** Authorities that sign the certificates of clients and peers; one after another. */
  readonly ca: Uint8Array;
  readonly cert: Uint8Array;
  readonly key: Uint8Array;
  /** Who has no certificate is not even heard: no tokens. */
  readonly certificateRequired?: boolean;
}

/** Credentials of a server, and how to give it newer certificates while it runs. */
export interface ServerSecurity {
  readonly credentials: ServerCredentials;
  /** Connections that come from now on see these. */
  renew(tls: ServerTls): void;
}

export function serverSecurity(tls: ServerTls | 'insecure'): ServerSecurity {
  if (tls === 'insecure') {
    return { credentials: ServerCredentials.createInsecure(), renew: () => {} };
  }
  const held = new HeldCertificates(tls);
  const isRequired = tls.certificateRequired ?? false;
  return {
    credentials: experimental.createCertificateProviderServerCredentials(held, held, isRequired),
    renew: (newer) => held.hold(newer),
  };
}
