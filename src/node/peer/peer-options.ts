// What a peer can be told: one table, a row a setting. Its key in the YAML file, its variable, its flag, the help
// of `codr node` and the reference page all come from here. A flag wins over the environment, the environment over
// the file. Secrets have no flag: they stand in files of their own. docs/manual/cluster.md shows a file.
import { z } from 'zod';
import { globalOptions, whole } from '../config.ts';
import { option, optionAt } from '../config-option.ts';

const { shape } = globalOptions;
const notAddress = 'not host:port';
const portMax = 65_535;
const address = () =>
  z
    .string()
    .regex(/^[^\s/]+:\d+$/, { error: notAddress })
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= portMax, {
      error: `a port above ${portMax}`,
    });
const optionalFile = () => z.string().min(1).optional();
const texts = () => z.array(z.string().min(1)).default([]);

const amount = (max: number, fallback: number) =>
  z.coerce
    .number({ error: 'not a number' })
    .min(0, { error: 'less than 0' })
    .max(max, { error: `more than ${max}` })
    .default(fallback);

const roles = z
  .array(
    z.enum(['viewer', 'operator', 'restorer', 'admin'], {
      error: 'not one of viewer, operator, restorer, admin',
    }),
    { error: 'not a list of roles' },
  )
  .min(1, { error: 'no role' });
const callerName = z.string({ error: 'not a text' }).min(1, { error: 'empty' });
const digest = z
  .string({ error: 'not a text' })
  .regex(/^[0-9a-f]{64}$/i, { error: 'not 64 hexadecimal digits' });

/** Items of the YAML file are groups of fields; flags and variables say the same as one text. */
const certificate = z.preprocess(
  (item) => {
    const [, name, joined] = (typeof item === 'string' && /^(.+)=([^=]*)$/.exec(item)) || [];
    return joined === undefined ? item : { name, roles: joined.split('+') };
  },
  z.strictObject({ name: callerName, roles }, { error: fieldsOr('NAME=ROLE+ROLE') }),
);

const token = z.preprocess(
  (item) => {
    const parts = typeof item === 'string' && /^(.+)=([^=]*):([^:=]*)$/.exec(item);
    const [, name, joined, sha256] = parts || [];
    return joined === undefined ? item : { name, roles: joined.split('+'), sha256 };
  },
  z.strictObject(
    { name: callerName, roles, sha256: digest },
    { error: fieldsOr('NAME=ROLE+ROLE:SHA256') },
  ),
);

function fieldsOr(text: string) {
  return (issue: { readonly code?: string; readonly keys?: unknown }): string =>
    issue.code === 'unrecognized_keys'
      ? `not a known field: ${String(issue.keys)}`
      : `not ${text}, and no group of these fields`;
}

const file = (key: string, text: string) => option(optionalFile(), { text, value: 'FILE', key });

const rows = z.object({
  name: option(
    z.string().regex(/^[\w.-]{1,64}$/, { error: 'not 1 to 64 letters, digits, points, lines' }),
    {
      text: 'its name: unique in the cluster, the same after a restart',
      value: 'NAME',
      key: 'name',
    },
  ),
  listen: option(address(), {
    text: 'where it serves clients and peers, by gRPC',
    value: 'HOST:PORT',
    key: 'listen',
  }),
  advertise: option(address().optional(), {
    text: 'where the other peers reach it; what it listens at unless said',
    value: 'HOST:PORT',
    key: 'advertise',
  }),
  metrics: option(address().optional(), {
    text: 'where it serves /healthz, /readyz and /metrics, by HTTP; nowhere unless said',
    value: 'HOST:PORT',
    key: 'metrics',
  }),
  repo: optionAt('repository.url', shape.repo, shape.repo.unwrap()),
  password: optionAt('repository.passwordFile', shape.password, shape.password),
  keyFile: optionAt('repository.keyFile', shape.keyFile, shape.keyFile),
  etcdEndpoints: option(texts(), {
    text: 'a member of etcd, http:// or https://; may be repeated; without any a cluster of one',
    value: 'URL',
    key: 'etcd.endpoints',
  }),
  etcdPrefix: option(z.string().min(1).optional(), {
    text: 'what its keys in etcd begin with; /codr unless said',
    value: 'TEXT',
    key: 'etcd.prefix',
  }),
  etcdCa: file('etcd.tls.ca', 'PEM file with the authorities that sign certificates of etcd'),
  etcdCert: file('etcd.tls.cert', 'PEM file with the certificate by which etcd knows the peer'),
  etcdKey: file('etcd.tls.key', 'PEM file with the key of --etcd-cert'),
  tlsCa: file(
    'tls.ca',
    'PEM file with the authorities that sign certificates of peers and callers',
  ),
  tlsCert: file('tls.cert', 'PEM file with the certificate of the peer'),
  tlsKey: file('tls.key', 'PEM file with the key of --tls-cert'),
  insecure: option(z.boolean().default(false), {
    text: 'serve without TLS: whoever reaches the peer may do everything',
    key: 'insecure',
  }),
  accessPeers: option(texts(), {
    text: 'common name of the certificate of a peer; may be repeated',
    value: 'NAME',
    key: 'access.peers',
  }),
  accessCertificates: option(z.array(certificate).default([]), {
    text: 'common name of a caller’s certificate, and its roles; may be repeated',
    value: 'NAME=ROLE+ROLE',
    key: 'access.certificates',
  }),
  accessTokens: option(z.array(token).default([]), {
    text: 'a caller, its roles, and the SHA-256 of its token; may be repeated',
    value: 'NAME=ROLE+ROLE:SHA256',
    key: 'access.tokens',
  }),
  auditFile: file('auditFile', 'file to which calls that change something are appended'),
  files: option(texts(), {
    text: 'folder of this machine whose files other peers may have; may be repeated',
    value: 'FOLDER',
    key: 'files',
  }),
  tempDir: optionAt('tempDir', shape.tempDir, shape.tempDir),
  logLevel: optionAt('logLevel', shape.logLevel, shape.logLevel.unwrap().default('info')),
  memoryMib: optionAt('limits.memoryMiB', shape.memoryMib, shape.memoryMib),
  workers: option(shape.workers.clone(), {
    text: 'threads that compress and encrypt, and pieces that it reads at a time',
    value: 'COUNT',
    key: 'limits.workers',
  }),
  storeConcurrency: optionAt(
    'limits.storeConcurrency',
    shape.storeConcurrency,
    shape.storeConcurrency,
  ),
  storeMibPerSecond: optionAt(
    'limits.storeMiBPerSecond',
    shape.storeMibPerSecond,
    shape.storeMibPerSecond,
  ),
  sourceMibPerSecond: option(amount(1 << 20, 0), {
    text: 'MiB a second that it reads for base copies; 0: no limit',
    value: 'N',
    key: 'limits.sourceMiBPerSecond',
  }),
  segmentMib: option(whole(1, 1024, 64), {
    text: 'raw MiB of a base copy that are read as one piece',
    value: 'MIB',
    key: 'limits.segmentMiB',
  }),
  drainSeconds: option(amount(3600, 30), {
    text: 'what running calls are given when it stops',
    value: 'SECONDS',
    key: 'drainSeconds',
  }),
  balancerSeconds: option(amount(60, 3), {
    text: 'how long a balancer takes to notice that it is not ready',
    value: 'SECONDS',
    key: 'balancerSeconds',
  }),
  reflection: option(z.boolean().default(false), {
    text: 'tools may ask for the protos',
    key: 'reflection',
  }),
});

/** All settings of a peer. What must stand together, from whatever places, does. */
export const peerOptions = rows.superRefine((given, context) => {
  const lacks = (name: keyof PeerOptions, why: string): void =>
    context.addIssue({ code: 'custom', path: [name], message: why });
  const groups = [
    ['tlsCa', 'tlsCert', 'tlsKey'],
    ['etcdCa', 'etcdCert', 'etcdKey'],
  ] as const;
  for (const names of groups) {
    const missing = names.filter((name) => given[name] === undefined);
    if (missing.length === 0 || missing.length === names.length) continue;
    for (const name of missing)
      lacks(name, 'an authority, a certificate and its key stand together');
  }
  const hasTls = given.tlsCa !== undefined;
  if (!hasTls && !given.insecure)
    lacks('tlsCa', 'only a peer with "insecure: true" does without TLS');
  if (hasTls && given.insecure) lacks('insecure', 'stands beside tls');
  const wantsEtcd = given.etcdPrefix !== undefined || given.etcdCa !== undefined;
  if (wantsEtcd && given.etcdEndpoints.length === 0) {
    lacks('etcdEndpoints', 'etcd without a member of it');
  }
  // Whoever asks such an address asks itself.
  const isAnywhere = /^(0\.0\.0\.0|\[?::\]?):\d+$/.test(given.advertise ?? given.listen);
  if (isAnywhere && given.etcdEndpoints.length > 0) {
    lacks('advertise', 'the other peers reach nobody at an address that stands for all of them');
  }
});

export type PeerOptions = z.infer<typeof rows>;
