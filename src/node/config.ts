// The configuration of one process: every global option, declared once. Flags, environment twins, values
// of a configuration file, help and docs/reference/options.md all come from `globalOptions`.
import { readFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { z } from 'zod';
import { CodrError } from '../base/error.ts';
import { option, readOptions } from './config-option.ts';

const whole = (min: number, max: number, fallback: number) =>
  z.coerce
    .number({ error: `not a whole number from ${min} to ${max}` })
    .int({ error: 'not a whole number' })
    .min(min, { error: `less than ${min}` })
    .max(max, { error: `more than ${max}` })
    .default(fallback);

/** Options of every command. */
export const globalOptions = z.object({
  repo: option(z.string().min(1).optional(), {
    text: 'the repository: a folder or file:///path',
    value: 'URL',
  }),
  password: option(z.string().min(1).optional(), {
    text: 'file with the passphrase of the repository',
    value: 'FILE',
    secret: true,
  }),
  keyFile: option(z.string().min(1).optional(), {
    text: 'key file that opens the repository, instead of a passphrase',
    value: 'FILE',
  }),
  config: option(z.string().min(1).optional(), {
    text: 'JSON file with values for these options, by their long names in camel case',
    value: 'FILE',
  }),
  tempDir: option(z.string().min(1).default(tmpdir()), {
    text: 'folder for scratch files; nothing in it outlives the process',
    value: 'FOLDER',
  }),
  memoryMib: option(whole(128, 1 << 20, 1024), {
    text: 'upper bound of the buffers of one operation, in MiB',
    value: 'MIB',
  }),
  workers: option(whole(1, 256, Math.max(1, Math.min(16, availableParallelism()))), {
    text: 'threads that compress and encrypt',
    value: 'COUNT',
  }),
  storeConcurrency: option(whole(1, 256, 8), {
    text: 'requests to the store at the same time',
    value: 'COUNT',
  }),
  logLevel: option(
    z
      .enum(['debug', 'info', 'warn', 'error', 'silent'], {
        error: 'not one of debug, info, warn, error, silent',
      })
      .default('warn'),
    {
      text: 'least level of the log lines on stderr: debug, info, warn, error, silent',
      value: 'LEVEL',
    },
  ),
  json: option(z.boolean().default(false), {
    text: 'print one JSON object on stdout, and progress as JSON lines on stderr',
  }),
  debug: option(z.boolean().default(false), { text: 'show stack traces of errors' }),
});

export type Config = z.infer<typeof globalOptions>;

/**
 * Reads the global options; `--config` itself comes from flag or environment. Errors: `usage`,
 * `config-invalid`.
 */
export function loadConfig(
  flags: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Config {
  const path = flags.config ?? env.CODR_CONFIG;
  const file = typeof path === 'string' && path !== '' ? readConfigFile(path) : {};
  return readOptions(globalOptions, { flags, env, file });
}

/** The repository's URL. Errors: `config-invalid` when none was named. */
export function repositoryUrl(config: Config): string {
  if (config.repo !== undefined) return config.repo;
  throw new CodrError('config-invalid', 'no repository was named', {
    remedy: 'give --repo URL or set CODR_REPO',
  });
}

const secretFileKeys = new Set(['passwordFile']);

function readConfigFile(path: string): Record<string, unknown> {
  const wrong = (why: string, cause?: unknown): CodrError =>
    new CodrError('config-invalid', `the configuration file ${path} ${why}`, {
      object: path,
      cause,
    });
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw wrong(cause instanceof SyntaxError ? 'is not JSON' : 'cannot be read', cause);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw wrong('is not a JSON object');
  }
  for (const key of Object.keys(content)) {
    if (key === 'password') throw wrong('holds a password: name its file with "passwordFile"');
    const known = key in globalOptions.shape || secretFileKeys.has(key);
    if (!known || key === 'config') throw wrong(`holds "${key}", which is no option`);
  }
  return content as Record<string, unknown>;
}

/** The bytes of a key file. Errors: `config-invalid`. */
export function readKeyFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new CodrError('config-invalid', `the key file ${path} cannot be read`, {
      object: path,
      cause,
    });
  }
}
