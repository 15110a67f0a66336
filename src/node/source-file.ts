// A source or target that a URI cannot say: a YAML file. Its fields are the connector's own; what is common to
// all kinds is read here: the kind, where the cluster is, and where its password lies. A client reads the file and
// sends its text to a peer; the files that are named in it, of secrets and certificates, are read where they are used.
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { CodrError } from '../base/error.ts';
import { issueWords } from '../base/issue-words.ts';

export interface SourceFile {
  readonly kind: string;
  /** For lists and messages: `kind://` and the contact points. */
  readonly uri: string;
  readonly passwordFile?: string;
  readonly passwordEnv?: string;
  /** All other fields; paths of files are absolute. */
  readonly settings: Readonly<Record<string, unknown>>;
}

const common = z.looseObject({
  kind: z.string().min(1),
  contactPoints: z.array(z.string().min(1)).min(1),
  passwordFile: z.string().min(1).optional(),
  passwordEnv: z.string().min(1).optional(),
  tls: z.record(z.string(), z.string()).optional(),
});

/** What is read: for messages its name, and how paths in it are meant. */
interface Place {
  readonly name: string;
  at(file: string, field: readonly string[]): string;
}

/** True for a URI; all else that names a cluster is a file. */
export function isClusterUri(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(text);
}

/**
 * A cluster as it is named on a command line, a URI or the path of a file, so that a peer understands it: the text of the
 * file, with all paths absolute. Errors: `config-invalid`.
 */
export async function clusterText(uriOrPath: string): Promise<string> {
  return isClusterUri(uriOrPath) ? uriOrPath : await sourceFileText(resolve(uriOrPath));
}

/** What {@link readSourceFile} takes in place of the path. Errors: `config-invalid`. */
export async function sourceFileText(path: string): Promise<string> {
  const { settings, passwordFile, passwordEnv } = await readSourceFile(path);
  return JSON.stringify({ ...settings, passwordFile, passwordEnv });
}

/** `given`: a path, or the text of {@link sourceFileText}. Errors: `config-invalid`, naming the file and the field. */
export async function readSourceFile(given: string): Promise<SourceFile> {
  const isText = given.startsWith('{');
  const place: Place = isText ? sent : { name: given, at: (file) => resolve(dirname(given), file) };
  const read = common.safeParse(await parsed(place.name, isText ? given : undefined));
  if (!read.success) throw wrong(place.name, issueWords(read.error.issues[0]));
  const { passwordFile, passwordEnv, tls, ...rest } = read.data;
  const inner = Object.entries(rest).map(([name, value]) => [name, placed(place, [name], value)]);
  const files = tls && Object.entries(tls).map(([name, file]) => [name, place.at(file, ['tls'])]);
  return {
    kind: rest.kind,
    uri: `${rest.kind}://${rest.contactPoints.join(',')}`,
    ...(passwordFile !== undefined && { passwordFile: place.at(passwordFile, ['passwordFile']) }),
    ...(passwordEnv !== undefined && { passwordEnv }),
    settings: { ...Object.fromEntries(inner), ...(files && { tls: Object.fromEntries(files) }) },
  };
}

/**
 * A field with all that is in it: files of passwords are meant from the file's folder, and a password itself is
 * refused wherever it stands, since settings are kept in the repository.
 */
function placed(place: Place, field: readonly string[], value: unknown): unknown {
  const name = field.at(-1);
  if (name === 'password') {
    const fault = 'a secret does not belong into the file; name a passwordFile';
    throw wrong(place.name, `${field.join('.')}: ${fault}`);
  }
  if (name === 'passwordFile' && typeof value === 'string') return place.at(value, field);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const inner = Object.entries(value);
  return Object.fromEntries(inner.map(([key, one]) => [key, placed(place, [...field, key], one)]));
}

const sent: Place = {
  name: 'the file that was sent',
  at(file, field) {
    if (isAbsolute(file)) return file;
    throw wrong(sent.name, `${field.join('.')}: ${file} is no absolute path`);
  },
};

async function parsed(path: string, text: string | undefined): Promise<unknown> {
  try {
    return parse(text ?? (await readFile(path, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) {
      throw new CodrError('config-invalid', `the file ${path} cannot be read`, {
        object: path,
        remedy: 'name a file of a cluster, or a URI that begins with mongodb:// or cassandra://',
        cause: error,
      });
    }
    throw wrong(path, `is no YAML: ${(error as Error).message.split(/:?\n/)[0]}`);
  }
}

function wrong(path: string, fault: string): CodrError {
  return new CodrError('config-invalid', `${path}: ${fault}`, { object: path });
}
