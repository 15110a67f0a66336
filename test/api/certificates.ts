// Certificates for tests, made by openssl: an authority, and whoever it signs for.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Signs certificates, for 127.0.0.1 and localhost unless said. Its folder is removed on disposal. */
export class Authority implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'codr-ca-'));
  readonly ca: Buffer;

  constructor(name = 'test authority') {
    this.#openssl('req', '-x509', '-subj', `/CN=${name}`, ...this.#newKey('ca'), '-days', '2');
    this.ca = readFileSync(this.path('ca.pem'));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Files of a name are `NAME.pem` and `NAME.key`. */
  path(file: string): string {
    return join(this.folder, file);
  }

  sign(name: string, names = 'IP:127.0.0.1,DNS:localhost'): Pair {
    const request = this.path(`${name}.csr`);
    this.#openssl('req', '-subj', `/CN=${name}`, ...this.#newKey(name, request));
    const extensions = this.path(`${name}.ext`);
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    const by = ['-CA', this.path('ca.pem'), '-CAkey', this.path('ca.key'), '-CAcreateserial'];
    const out = this.path(`${name}.pem`);
    this.#openssl(
      'x509',
      '-req',
      '-in',
      request,
      ...by,
      '-days',
      '2',
      '-extfile',
      extensions,
      '-out',
      out,
    );
    return { cert: readFileSync(out), key: readFileSync(this.path(`${name}.key`)) };
  }

  #newKey(name: string, out = this.path(`${name}.pem`)): string[] {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    return [...curve, '-keyout', this.path(`${name}.key`), '-out', out];
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  }
}
