// A source or target that a URI cannot say: a YAML file. Its fields are the connector's own; what is common to
// all kinds is read here: the kind, where the cluster is, and where its password lies.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { CodrError } from '../base/error.ts';

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

/** Errors: `config-invalid`, naming the file and the field. */
export async function readSourceFile(path: string): Promise<SourceFile> {
  const read = common.safeParse(await parsed(path));
  if (!read.success) {
    const [issue] = read.error.issues;
    const field = issue?.path.join('.') || 'the file';
    throw wrong(path, `${field}: ${issue?.message ?? 'not valid'}`);
  }
  const { passwordFile, passwordEnv, tls, ...rest } = read.data;
  const at = (file: string): string => resolve(dirname(path), file);
  const inner = Object.entries(rest).map(([name, value]) => [name, placed(path, [name], value)]);
  const files = tls && Object.entries(tls).map(([name, file]) => [name, at(file)]);
  return {
    kind: rest.kind,
    uri: `${rest.kind}://${rest.contactPoints.join(',')}`,
    ...(passwordFile !== undefined && { passwordFile: at(passwordFile) }),
    ...(passwordEnv !== undefined && { passwordEnv }),
    settings: { ...Object.fromEntries(inner), ...(files && { tls: Object.fromEntries(files) }) },
  };
}

/**
 * A field with all that is in it: files of passwords are meant from the file's folder, and a password itself is
 * refused wherever it stands, since settings are kept in the repository.
 */
function placed(path: string, field: readonly string[], value: unknown): unknown {
  const name = field.at(-1);
  if (name === 'password') {
    const fault = 'a secret does not belong into the file; name a passwordFile';
    throw wrong(path, `${field.join('.')}: ${fault}`);
  }
  if (name === 'passwordFile' && typeof value === 'string') return resolve(dirname(path), value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const inner = Object.entries(value);
  return Object.fromEntries(inner.map(([key, one]) => [key, placed(path, [...field, key], one)]));
}

async function parsed(path: string): Promise<unknown> {
  try {
    return parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw wrong(path, (error as Error).message.split('\n')[0] ?? 'cannot be read', error);
  }
}

function wrong(path: string, fault: string, cause?: unknown): CodrError {
  return new CodrError('config-invalid', `${path}: ${fault}`, { object: path, cause });
}
