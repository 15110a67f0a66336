// The configuration of one process: every global option, declared once. Flags, environment twins, values
// of a configuration file, help and docs/reference/options.md all come from `globalOptions`.
import { readFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { z } from 'zod';
import { CodrError } from '../base/error.ts';
import { option, readOptions } from './config-option.ts';

/** A whole number from `min` to `max`, also as text. */
export const whole = (min: number, max: number, fallback: number) =>
  z.coerce
    .number({ error: `not a whole number from ${min} to ${max}` })
    .int({ error: 'not a whole number' })
    .min(min, { error: `less than ${min}` })
    .max(max, { error: `more than ${max}` })
    .default(fallback);

/** Options of every command. */
export const globalOptions = z.object({
  repo: option(z.string().min(1).optional(), {
    text: 'the repository: a folder, file:///path, or s3://bucket/prefix?endpoint=…&region=…',
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
  node: option(z.string().min(1).optional(), {
    text: 'a peer that does the work, instead of --repo',
    value: 'HOST:PORT',
  }),
  insecure: option(z.boolean().default(false), {
    text: 'talk to a peer without TLS',
  }),
  ca: option(z.string().min(1).optional(), {
    text: 'PEM file with the authorities that sign certificates of peers; the system’s unless said',
    value: 'FILE',
  }),
  cert: option(z.string().min(1).optional(), {
    text: 'PEM file with the certificate by which a peer knows the caller',
    value: 'FILE',
  }),
  key: option(z.string().min(1).optional(), {
    text: 'PEM file with the key of --cert',
    value: 'FILE',
  }),
  token: option(z.string().min(1).optional(), {
    text: 'file with the token by which a peer knows the caller',
    value: 'FILE',
    secret: true,
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
  storeMibPerSecond: option(
    z.coerce.number({ error: 'not a number' }).min(0, { error: 'less than 0' }).default(0),
    {
      text: 'what this process reads from the store and writes to it, in MiB a second; 0: no limit',
      value: 'MIB',
    },
  ),
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
  return chosenPlace(readOptions(globalOptions, { flags, env, file }), flags);
}

/** A peer or a repository: where both are named, the flag wins. */
function chosenPlace(config: Config, flags: Readonly<Record<string, unknown>>): Config {
  if (config.node === undefined || config.repo === undefined) return config;
  const { node, repo, ...rest } = config;
  const isFlag = { node: flags.node !== undefined, repo: flags.repo !== undefined };
  if (isFlag.node && !isFlag.repo) return { ...rest, node };
  if (isFlag.repo && !isFlag.node) return { ...rest, repo };
  const code = isFlag.node ? 'usage' : 'config-invalid';
  throw new CodrError(code, 'a peer and a repository are named', {
    remedy: 'name one of them: --node or --repo, CODR_NODE or CODR_REPO',
  });
}

/** The repository's URL. Errors: `config-invalid` when none was named. */
export function repositoryUrl(config: Config): string {
  if (config.repo !== undefined) return config.repo;
  throw new CodrError('config-invalid', 'no repository was named', {
    remedy: 'give --repo URL or set CODR_REPO; or --node for a peer',
  });
}

const secretFileKeys = new Set(['passwordFile', 'tokenFile']);

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
    if (key === 'password' || key === 'token') {
      throw wrong(`holds a ${key}: name its file with "${key}File"`);
    }
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
