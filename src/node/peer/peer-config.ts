// The configuration file of a peer: YAML, every field checked, paths meant from the file's own folder. Secrets
// stand in files of their own. docs/manual/cluster.md shows one.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { parse } from 'yaml';
import { z } from 'zod';
import type { AccessRules } from '../../api/access.ts';
import { CodrError } from '../../base/error.ts';
import { issueWords } from '../../base/issue-words.ts';
import { type Config, loadConfig } from '../config.ts';

const address = z.string().regex(/^[^\s/]+:\d+$/, 'not host:port');
const file = z.string().min(1);
const roles = z.array(z.enum(['viewer', 'operator', 'restorer', 'admin'])).min(1);
const tlsFiles = z.strictObject({ ca: file, cert: file, key: file });

const schema = z.strictObject({
  name: z.string().regex(/^[\w.-]{1,64}$/, 'not 1 to 64 letters, digits, points, lines'),
  listen: address,
  advertise: address.optional(),
  metrics: address.optional(),
  repository: z.strictObject({
    url: z.string().min(1),
    passwordFile: file.optional(),
    keyFile: file.optional(),
  }),
  etcd: z
    .strictObject({
      endpoints: z.array(z.string().min(1)).min(1),
      prefix: z.string().min(1).default('/codr'),
      tls: tlsFiles.optional(),
    })
    .optional(),
  tls: tlsFiles.optional(),
  insecure: z.boolean().default(false),
  access: z
    .strictObject({
      /** Common names of the certificates of peers. */
      peers: z.array(z.string().min(1)).default([]),
      certificates: z.array(z.strictObject({ name: z.string().min(1), roles })).default([]),
      tokens: z
        .array(z.strictObject({ name: z.string().min(1), roles, sha256: z.string() }))
        .default([]),
    })
    .prefault({}),
  auditFile: file.optional(),
  /** Folders of this machine whose files other peers may have: the data directories of a database's node. */
  files: z.array(file).default([]),
  tempDir: file.optional(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  limits: z
    .strictObject({
      memoryMiB: z.number().int().min(128).default(1024),
      workers: z.number().int().min(1).max(256).default(Math.min(16, availableParallelism())),
      storeConcurrency: z.number().int().min(1).max(256).default(8),
      /** What this peer reads for base copies; 0: no limit. */
      sourceMiBPerSecond: z.number().min(0).default(0),
      /** Raw bytes of a base copy that are read as one piece. */
      segmentMiB: z.number().int().min(1).max(1024).default(64),
    })
    .prefault({}),
  drainSeconds: z.number().min(0).max(3600).default(30),
  /** How long a balancer takes to notice that a peer is not ready. */
  balancerSeconds: z.number().min(0).max(60).default(3),
  /** Tools may ask for the protos. */
  reflection: z.boolean().default(false),
});

type FileShape = z.infer<typeof schema>;

/** What a peer is told: the file, with the options of its repository as every command has them. */
export interface PeerConfig
  extends Pick<
    FileShape,
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

/** Contents of files. */
export interface Pem {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Errors: `config-invalid`, naming the file and the field. */
export function readPeerConfig(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
): PeerConfig {
  const wrong = (why: string, cause?: unknown): CodrError =>
    new CodrError('config-invalid', `${path}: ${why}`, { object: path, cause });
  const read = schema.safeParse(parsed(path, wrong));
  if (!read.success) throw wrong(issueWords(read.error.issues[0]));
  const { data } = read;
  const { tls, insecure } = data;
  if (tls === undefined && !insecure) {
    throw wrong('tls: missing; only a peer with "insecure: true" does without');
  }
  if (tls !== undefined && insecure) throw wrong('insecure: true stands beside tls');
  const at = (name: string): string => resolve(dirname(path), name);
  const pem = (files: z.infer<typeof tlsFiles>): Pem => {
    const content = (name: string): Buffer => {
      try {
        return readFileSync(at(name));
      } catch (cause) {
        throw wrong(`${name} cannot be read`, cause);
      }
    };
    const read = { ca: content(files.ca), cert: content(files.cert), key: content(files.key) };
    try {
      createSecureContext(read);
    } catch (cause) {
      const names = `${files.ca}, ${files.cert} and ${files.key}`;
      throw wrong(`${names} are no authority, certificate and key that belong together`, cause);
    }
    return read;
  };
  const { name, listen, advertise, metrics, etcd, access, auditFile } = data;
  const { drainSeconds, balancerSeconds, reflection } = data;
  return {
    ...{ name, listen, insecure, drainSeconds, balancerSeconds, reflection },
    ...(metrics !== undefined && { metrics }),
    ...(advertise !== undefined && { advertise }),
    common: commonOf(data, at, env),
    ...(etcd && { etcd: etcdOf(etcd, pem) }),
    ...(tls && { tls: pem(tls) }),
    access: withViewers(access),
    files: data.files.map(at),
    segmentBytes: data.limits.segmentMiB * 1024 * 1024,
    sourceBytesPerSecond: data.limits.sourceMiBPerSecond * 1024 * 1024,
    ...(auditFile !== undefined && { auditFile: at(auditFile) }),
  };
}

function etcdOf(
  { endpoints, prefix, tls }: NonNullable<FileShape['etcd']>,
  pem: (files: z.infer<typeof tlsFiles>) => Pem,
): NonNullable<PeerConfig['etcd']> {
  if (!tls) return { endpoints, prefix };
  const [ca, certificate, key] = Object.values(pem(tls)).map(String) as [string, string, string];
  return { endpoints, prefix, tls: { ca, certificate, key } };
}

/** The peers watch each other's operations for those who ask them. */
function withViewers({ peers, certificates, tokens }: FileShape['access']): AccessRules {
  const known = new Set(certificates.map(({ name }) => name));
  const viewers = peers
    .filter((name) => !known.has(name))
    .map((name) => ({ name, roles: ['viewer'] as const }));
  return { peers, tokens, certificates: [...certificates, ...viewers] };
}

function commonOf(
  { repository, limits, tempDir, logLevel }: FileShape,
  at: (name: string) => string,
  env: Readonly<Record<string, string | undefined>>,
): Config {
  const { passwordFile, keyFile, url } = repository;
  const options = {
    repo: url,
    memoryMib: String(limits.memoryMiB),
    workers: String(limits.workers),
    storeConcurrency: String(limits.storeConcurrency),
    logLevel,
    ...(keyFile !== undefined && { keyFile: at(keyFile) }),
    ...(tempDir !== undefined && { tempDir: at(tempDir) }),
  };
  if (passwordFile === undefined) {
    const { CODR_PASSWORD, CODR_PASSWORD_FILE } = env;
    return loadConfig(options, { CODR_PASSWORD, CODR_PASSWORD_FILE });
  }
  try {
    return loadConfig(options, {
      CODR_PASSWORD: env.CODR_PASSWORD,
      CODR_PASSWORD_FILE: at(passwordFile),
    });
  } catch (error) {
    if (!(error instanceof CodrError)) throw error;
    const message = error.message.replaceAll('CODR_PASSWORD_FILE', 'repository.passwordFile');
    throw new CodrError(error.code, message, { remedy: error.remedy, cause: error.cause });
  }
}

function parsed(path: string, wrong: (why: string, cause?: unknown) => CodrError): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw wrong('cannot be read', cause);
  }
  try {
    return parse(text);
  } catch (cause) {
    throw wrong(`is no YAML: ${(cause as Error).message.split(/:?\n/)[0]}`);
  }
}
