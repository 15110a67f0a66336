// What a peer works with, made of its options: contents of certificates, absolute paths, bytes, and the options of
// its repository as every command has them.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { AccessRules } from '../../api/access.ts';
import { CodrError } from '../../base/error.ts';
import { type Config, globalOptions } from '../config.ts';
import type { PeerOptions } from './peer-options.ts';

/** What a peer is told. */
export interface PeerConfig
  extends Pick<
    PeerOptions,
    | 'name'
    | 'listen'
    | 'advertise'
    | 'metrics'
    | 'insecure'
    | 'drainSeconds'
    | 'balancerSeconds'
    | 'reflection'
  > {
  readonly common: Config;
  readonly etcd?: {
    readonly endpoints: readonly string[];
    readonly prefix: string;
    readonly tls?: { readonly ca: string; readonly certificate: string; readonly key: string };
  };
  readonly tls?: Pem;
  readonly access: AccessRules;
  readonly auditFile?: string;
  /** Folders, absolute. */
  readonly files: readonly string[];
  readonly segmentBytes: number;
  readonly sourceBytesPerSecond: number;
}

/** Contents of files, and their names, so that they can be read again. */
export interface Pem {
  readonly files: readonly [ca: string, cert: string, key: string];
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

const mib = 1024 * 1024;

/** Errors: `config-invalid` for certificates that cannot be read or do not belong together. */
export function peerConfig(options: PeerOptions): PeerConfig {
  const { name, listen, advertise, metrics, insecure, auditFile } = options;
  const { drainSeconds, balancerSeconds, reflection } = options;
  const tls = pemOf('tls', [options.tlsCa, options.tlsCert, options.tlsKey]);
  const etcd = etcdOf(options);
  return {
    ...{ name, listen, insecure, drainSeconds, balancerSeconds, reflection },
    ...(metrics !== undefined && { metrics }),
    ...(advertise !== undefined && { advertise }),
    common: commonOf(options),
    ...(etcd && { etcd }),
    ...(tls && { tls }),
    access: accessOf(options),
    files: options.files.map((folder) => resolve(folder)),
    segmentBytes: options.segmentMib * mib,
    sourceBytesPerSecond: options.sourceMibPerSecond * mib,
    ...(auditFile !== undefined && { auditFile: resolve(auditFile) }),
  };
}

/** Undefined when no file is named: all three are or none. */
function pemOf(section: string, files: readonly (string | undefined)[]): Pem | undefined {
  const [ca, cert, key] = files;
  if (ca === undefined || cert === undefined || key === undefined) return undefined;
  return readPem(section, [ca, cert, key]);
}

/** Errors: `config-invalid`, naming a file. */
export function readPem(section: string, files: Pem['files']): Pem {
  const [ca, cert, key] = files;
  const content = (file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new CodrError('config-invalid', `${section}: ${file} cannot be read`, {
        object: file,
        remedy: 'name a file that exists and that this user can read',
        cause,
      });
    }
  };
  const pem = { files, ca: content(ca), cert: content(cert), key: content(key) };
  try {
    createSecureContext({ ca: pem.ca, cert: pem.cert, key: pem.key });
  } catch (cause) {
    const fault = 'are no authority, certificate and key that belong together';
    throw new CodrError('config-invalid', `${section}: ${ca}, ${cert} and ${key} ${fault}`, {
      object: cert,
      remedy:
        'name PEM files of an authority, of a certificate, and of the key of that certificate',
      cause,
    });
  }
  return pem;
}

function etcdOf(options: PeerOptions): PeerConfig['etcd'] {
  const { etcdEndpoints: endpoints, etcdPrefix: prefix = '/codr' } = options;
  if (endpoints.length === 0) return undefined;
  const pem = pemOf('etcd.tls', [options.etcdCa, options.etcdCert, options.etcdKey]);
  if (!pem) return { endpoints, prefix };
  const { ca, cert, key } = pem;
  return {
    ...{ endpoints, prefix },
    tls: { ca: String(ca), certificate: String(cert), key: String(key) },
  };
}

/** The peers watch each other's operations for those who ask them. */
function accessOf(options: PeerOptions): AccessRules {
  const { accessPeers: peers, accessCertificates: certificates, accessTokens: tokens } = options;
  const known = new Set(certificates.map(({ name }) => name));
  const viewers = peers
    .filter((name) => !known.has(name))
    .map((name) => ({ name, roles: ['viewer'] as const }));
  return { peers, tokens, certificates: [...certificates, ...viewers] };
}

function commonOf(options: PeerOptions): Config {
  const { repo, password, keyFile, tempDir, memoryMib, workers } = options;
  const { storeConcurrency, storeMibPerSecond, logLevel } = options;
  return globalOptions.parse({
    ...{ repo, password, memoryMib, workers, storeConcurrency, storeMibPerSecond, logLevel },
    tempDir: resolve(tempDir),
    ...(keyFile !== undefined && { keyFile: resolve(keyFile) }),
  });
}
