// Certificates that are renewed while connections use them, as the library has it for servers and for clients: those
// that come see the new ones, those that are there go on.
import type { experimental } from '@grpc/grpc-js';

/** Contents in PEM. */
export interface HeldTls {
  readonly ca: Uint8Array;
  readonly cert: Uint8Array;
  readonly key: Uint8Array;
}

type Provider = NonNullable<
  Parameters<typeof experimental.createCertificateProviderServerCredentials>[0]
>;
type Authorities = Parameters<Provider['addCaCertificateListener']>[0];
type Identities = Parameters<Provider['addIdentityCertificateListener']>[0];

/** Certificates in memory, told to whoever listens. */
export class HeldCertificates {
  #tls: HeldTls;
  readonly #authorities = new Set<Authorities>();
  readonly #identities = new Set<Identities>();

  constructor(tls: HeldTls) {
    this.#tls = tls;
  }

  /** Connections that come from now on see these. */
  hold(tls: HeldTls): void {
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
