// TLS of a server whose callers bring a certificate, or a token instead. The usual way of the library knows only
// "must" and "need not be asked"; by certificate providers a certificate is asked for and may be missing.
// One that no authority of ours has signed is as good as none.
import { experimental, ServerCredentials } from '@grpc/grpc-js';

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

type Provider = NonNullable<
  Parameters<typeof experimental.createCertificateProviderServerCredentials>[0]
>;
type Authorities = Parameters<Provider['addCaCertificateListener']>[0];
type Identities = Parameters<Provider['addIdentityCertificateListener']>[0];

/** Certificates in memory, told to whoever listens. */
class HeldCertificates {
  #tls: ServerTls;
  readonly #authorities = new Set<Authorities>();
  readonly #identities = new Set<Identities>();

  constructor(tls: ServerTls) {
    this.#tls = tls;
  }

  hold(tls: ServerTls): void {
    this.#tls = tls;
    for (const listener of this.#authorities) this.#tellAuthorities(listener);
    for (const listener of this.#identities) this.#tellIdentity(listener);
  }

  addCaCertificateListener(listener: Authorities): void {
    this.#authorities.add(listener);
    // The library registers its listener before it is ready to be told.
    queueMicrotask(() => this.#tellAuthorities(listener));
  }

  removeCaCertificateListener(listener: Authorities): void {
    this.#authorities.delete(listener);
  }

  addIdentityCertificateListener(listener: Identities): void {
    this.#identities.add(listener);
    queueMicrotask(() => this.#tellIdentity(listener));
  }

  removeIdentityCertificateListener(listener: Identities): void {
    this.#identities.delete(listener);
  }

  #tellAuthorities(listener: Authorities): void {
    listener({ caCertificate: Buffer.from(this.#tls.ca) });
  }

  #tellIdentity(listener: Identities): void {
    const { cert, key } = this.#tls;
    listener({ certificate: Buffer.from(cert), privateKey: Buffer.from(key) });
  }
}
