// The configuration of a Cassandra source or target: the shape of the YAML file that `codr source add --config`
// takes, or a `cassandra://` URI, which says contact points only and so reaches by CQL alone. A wrong value is
// `config-invalid` and names its field.
import { z } from 'zod';
import { CodrError } from '../../../base/error.ts';
import { issueWords } from '../../../base/issue-words.ts';
import { type LinkLimit, parseLinkLimit } from './link-limit.ts';

/** Port of the native protocol. */
const cqlPort = 9042;

const endpoint = z
  .string()
  .regex(
    /^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(:\d{1,5})?$/,
    {
      error: 'not host:port',
    },
  );
const absolute = z.string().regex(/^\//, { error: 'not an absolute path' });
const httpUrl = z.url({ protocol: /^https?$/, error: 'not an http:// or https:// URL' });

const control = z.union(
  [
    z.strictObject({
      jolokia: httpUrl,
      username: z.string().min(1).optional(),
      passwordFile: z.string().min(1).optional(),
    }),
    z.strictObject({ nodetool: z.string().trim().min(1, { error: 'empty' }) }),
  ],
  { error: 'neither { jolokia: URL, username, passwordFile } nor { nodetool: COMMAND }' },
);

const node = z.strictObject({
  dataDirectories: z.array(absolute).min(1, { error: 'empty' }),
  control,
  /** The peer whose machine sees the files; absent: whichever peer runs a piece of work has them on its paths. */
  peer: z.string().min(1).optional(),
  /** In place of the source's `paths`: on the machine of `peer`, if one is named. */
  paths: z.record(absolute, absolute).optional(),
});

function linkLimitOf(text: string, { addIssue }: z.RefinementCtx): LinkLimit {
  const limit = parseLinkLimit(text);
  if (!limit) addIssue({ code: 'custom', message: 'not a size, 20GiB, nor a part, 25%' });
  return limit ?? { share: 0 };
}

const schema = z.strictObject({
  kind: z.literal('cassandra').default('cassandra'),
  contactPoints: z.array(endpoint).min(1, { error: 'empty' }),
  username: z.string().min(1).optional(),
  /** Resolved: never stored beside the rest, never logged. */
  password: z.string().optional(),
  passwordFile: z.string().min(1).optional(),
  passwordEnv: z.string().min(1).optional(),
  tls: z
    .strictObject({
      ca: z.string().min(1).optional(),
      cert: z.string().min(1).optional(),
      key: z.string().min(1).optional(),
    })
    .optional(),
  /** By address: the nodes whose files this process reads or writes. */
  nodes: z.record(z.string().min(1), node).default({}),
  /** Data centres that grades are computed for; empty: all. */
  datacenters: z.array(z.string().min(1)).default([]),
  /** A prefix of paths as the servers see them → where the same files are for this process. */
  paths: z.record(absolute, absolute).default({}),
  /** How much disk of a node the links may hold: bytes, or a part of what is free without them. */
  linkLimit: z.string().transform(linkLimitOf).default({ share: 0.25 }),
  /** A cut waits, for some minutes at most, while a node has more compactions ahead. */
  pendingCompactionsMax: z.int().min(0).default(100),
  /** The links that `incremental_backups` makes are ours, even if they were on before us. */
  ownsBackups: z.boolean().default(false),
});

export type CassandraConfig = z.infer<typeof schema>;
export type NodeConfig = CassandraConfig['nodes'][string];
export type ControlConfig = NodeConfig['control'];

/** Reads a parsed YAML document, or a `cassandra://host:port,host:port` URI. Errors: `config-invalid`. */
export function parseCassandraConfig(input: unknown): CassandraConfig {
  if (typeof input === 'string') return parseCassandraConfig(ofUri(input));
  const read = schema.safeParse(input);
  if (!read.success) throw invalid(read.error.issues[0]);
  const config = read.data;
  const { username, password, passwordFile, passwordEnv, tls } = config;
  const secrets = [password, passwordFile, passwordEnv].filter((one) => one !== undefined);
  if (passwordFile !== undefined && passwordEnv !== undefined) {
    throw wrong('passwordEnv', 'given beside passwordFile');
  }
  if (secrets.length > 0 && username === undefined) throw wrong('username', 'missing');
  if (secrets.length === 0 && username !== undefined) throw wrong('passwordFile', 'missing');
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) {
    throw wrong(tls?.cert === undefined ? 'tls.cert' : 'tls.key', 'missing: both or none');
  }
  for (const [address, one] of Object.entries(config.nodes)) {
    // What stands in a URL would be kept with the source, and shown.
    if ('jolokia' in one.control && /\/\/[^/?#]*@/.test(one.control.jolokia)) {
      const field = `nodes.${address}.control.jolokia`;
      throw wrong(field, 'a login in the URL; give username and passwordFile beside it');
    }
  }
  return config;
}

/** `host:port` of a contact point, the port of the native protocol where none is said. */
export function withPort(contactPoint: string): string {
  if (/^\[.*\]:\d+$/.test(contactPoint) || /^[^:]+:\d+$/.test(contactPoint)) return contactPoint;
  const bare = contactPoint.includes(':') && !contactPoint.startsWith('[');
  return `${bare ? `[${contactPoint}]` : contactPoint}:${cqlPort}`;
}

/**
 * Prefixes of a node's paths → where they are for who sees its files. The mounts of the source's own `paths` are those of
 * a machine that sees all nodes: they mean nothing on the machine of a peer that is named.
 */
export function pathsOf(config: CassandraConfig, { peer, paths }: NodeConfig) {
  return paths ?? (peer === undefined ? config.paths : {});
}

/** Our path of a file of a server; the longest prefix of `paths` decides. */
export function ourPath(paths: Readonly<Record<string, string>>, serverPath: string): string {
  const prefix = longestPrefix(Object.keys(paths), serverPath);
  return prefix === undefined
    ? serverPath
    : trimmed(paths[prefix] as string) + serverPath.slice(trimmed(prefix).length);
}

/** The server's path of a file of ours: `ourPath` backwards. */
export function serverPath(paths: Readonly<Record<string, string>>, ours: string): string {
  const turned = Object.fromEntries(Object.entries(paths).map(([from, to]) => [to, from]));
  return ourPath(turned, ours);
}

function longestPrefix(prefixes: readonly string[], path: string): string | undefined {
  return prefixes
    .filter((prefix) => path === trimmed(prefix) || path.startsWith(`${trimmed(prefix)}/`))
    .sort((a, b) => trimmed(b).length - trimmed(a).length)[0];
}

const trimmed = (path: string): string => path.replace(/\/+$/, '');

/** Login in a URI would end up in lists and logs: it belongs into a file. */
function ofUri(uri: string): unknown {
  const match = /^cassandra:\/\/([^/?#]*)\/?$/.exec(uri);
  if (!match?.[1]) throw wrong('contactPoints', 'not cassandra://host:port,host:port');
  if (match[1].includes('@')) {
    throw new CodrError('config-invalid', 'a cassandra:// URI takes no user and no password', {
      object: 'contactPoints',
      remedy: 'give a configuration file with username and passwordFile',
    });
  }
  return { kind: 'cassandra', contactPoints: match[1].split(',') };
}

/** Values are left out of the message: one of them may be a secret in the wrong place. */
function invalid(issue: z.core.$ZodIssue | undefined): CodrError {
  const [field = '', ...fault] = issueWords(issue).split(': ');
  return wrong(field, fault.join(': '));
}

const wrong = (field: string, fault: string): CodrError =>
  new CodrError('config-invalid', `the cassandra configuration: ${field}: ${fault}`, {
    object: field,
  });
