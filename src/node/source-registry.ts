// Sources as the repository knows them, and how their secrets are resolved at the moment of use.
import { readFile } from 'node:fs/promises';
import { CodrError } from '../base/error.ts';
import type { Connector, SourceConfig } from '../connector/connector.ts';
import type { SourceLimits } from '../engine/source-limits.ts';
import { type SourceId, sourceId } from '../model/id.ts';
import type { Scope } from '../model/namespace.ts';
import type { StateView } from '../repository/lineage/state.ts';
import { isClusterUri, readSourceFile } from './source-file.ts';

/** `source/<id>` in the repository's lineage, which is encrypted as a whole. */
export interface SourceRecord {
  readonly name: string;
  readonly kind: string;
  readonly uri: string;
  /** What a file said beside the URI; the connector knows its fields. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** The password lies outside: this file or environment variable is read at each use. */
  readonly passwordFile?: string;
  readonly passwordEnv?: string;
  /** What the cluster calls itself; another one at the same address is refused. */
  readonly identity: string;
  readonly version: string;
  readonly streams: readonly string[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Absent: the source is read as fast as the peers can. */
  readonly limits?: SourceLimits;
  readonly addedMs: number;
}

export interface RegisteredSource extends SourceRecord {
  readonly id: SourceId;
}

/** Names that a message lists. */
const listedMax = 8;

export function registeredSources(state: StateView): RegisteredSource[] {
  return state
    .list<SourceRecord>('source')
    .map(([id, record]) => ({ ...record, id: sourceId(id) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Errors: `source-unknown`. */
export function sourceNamed(state: StateView, name: string): RegisteredSource {
  const all = registeredSources(state);
  const found = all.find((source) => source.name === name);
  if (found) return found;
  const listed = all.slice(0, listedMax).map((source) => source.name);
  throw new CodrError('source-unknown', `no source is called ${name}`, {
    object: name,
    ...(listed.length > 0 && { remedy: `there is ${listed.join(', ')}: see \`codr source list\`` }),
  });
}

export function scopeOf(source: SourceRecord): Scope {
  return { include: source.include, exclude: source.exclude };
}

/** The connector whose kind is the scheme of `uri`, which is not shown. Errors: `usage`. */
export function connectorFor(connectors: readonly Connector[], uri: string): Connector {
  const scheme = /^([a-z][a-z0-9.-]*)(?:\+[a-z0-9+.-]*)?:/i.exec(uri)?.[1];
  const found = connectors.find(({ kind }) => kind === scheme?.toLowerCase());
  if (found) return found;
  const what =
    scheme === undefined || !uri.includes('://') ? 'what was given is' : `${scheme}:// is`;
  const known = connectors.map(({ kind }) => `${kind}://user@host1:port,host2:port/`).join(' or ');
  throw new CodrError('usage', `${what} no URI of a database that is known`, {
    remedy: `write ${known}, as its own driver takes it`,
  });
}

/** The URI with its password in place. Errors: `config-invalid` when the reference cannot be read. */
export async function resolveConfig(
  source: Pick<SourceRecord, 'kind' | 'uri' | 'settings' | 'passwordFile' | 'passwordEnv'>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<SourceConfig> {
  const password = await readPassword(source, env);
  const { kind, settings } = source;
  if (settings)
    return { kind, uri: source.uri, settings, ...(password !== undefined && { password }) };
  const uri = password === undefined ? source.uri : withPassword(source.uri, password);
  return { kind: source.kind, uri };
}

/** A cluster that is no source: a URI, or what {@link readSourceFile} takes. Errors: `usage`, `config-invalid`. */
export async function namedCluster(
  connectors: readonly Connector[],
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly connector: Connector; readonly config: SourceConfig }> {
  if (isClusterUri(text)) {
    const connector = connectorFor(connectors, text);
    return { connector, config: { kind: connector.kind, uri: text } };
  }
  const file = await readSourceFile(text);
  const connector = connectorFor(connectors, file.uri);
  return { connector, config: await resolveConfig(file, env) };
}

async function readPassword(
  { passwordFile, passwordEnv }: Pick<SourceRecord, 'passwordFile' | 'passwordEnv'>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  if (passwordEnv !== undefined) {
    const value = env[passwordEnv];
    if (value !== undefined) return value;
    throw new CodrError('config-invalid', `the environment has no ${passwordEnv}`, {
      object: passwordEnv,
    });
  }
  if (passwordFile === undefined) return undefined;
  try {
    return (await readFile(passwordFile, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new CodrError('config-invalid', `${passwordFile} cannot be read`, {
      object: passwordFile,
      remedy: 'it is read where the work is done, at each use: with peers, put it on each of them',
      cause,
    });
  }
}

/** `scheme://user@host` and `scheme://user:old@host` get the password; a URI without a user is refused. */
function withPassword(uri: string, password: string): string {
  const match = /^([a-z+]+:\/\/)([^:@/?]+)(?::[^@]*)?@/i.exec(uri);
  if (!match) {
    throw new CodrError('config-invalid', 'a password is given, but the URI names no user', {
      remedy: 'write the user into the URI: mongodb://user@host/',
    });
  }
  const login = `${match[1]}${match[2]}:${encodeURIComponent(password)}@`;
  return login + uri.slice(match[0].length);
}
