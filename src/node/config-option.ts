// How an option is declared once, in zod, and read from four places: flag, environment, file, default, in
// this order. The flags of the command line, their help and the reference page come from the same
// declaration. A secret has no flag of its own: only `--x-file`, `CODR_X` and `CODR_X_FILE`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { CodrError, type ErrorDetail } from '../base/error.ts';

/** What a declaration says beside its type. */
export interface OptionText {
  /** One clause for help and reference, lower case, without a full stop. */
  readonly text: string;
  /** Placeholder of the value: `FILE`. Flags of type boolean have none. */
  readonly value?: string;
  /** False: a flag only. For consent (`--drop`), which must never come from an environment. */
  readonly env?: boolean;
  /** The value is kept out of flags, logs and messages. */
  readonly secret?: boolean;
  /** A value that people may not want in a process list (a URI): `CODR_X_FILE` is read too. */
  readonly fileToo?: boolean;
  /** The flag may stand without its value, which is then `true`. */
  readonly optionalValue?: boolean;
  /** A positional argument, not a flag. */
  readonly argument?: boolean;
  /** Where a file with sections has it: `limits.workers`. Of a secret it is the name of its file. */
  readonly key?: string;
}

const texts = z.registry<OptionText>();

/** Declares one option or argument; `schema` reads its text form. */
export function option<S extends z.ZodType>(schema: S, text: OptionText): S {
  texts.add(schema, text);
  return schema;
}

/** An option that is declared elsewhere, where a file with sections has it at `key`. */
export function optionAt<S extends z.ZodType>(key: string, declared: z.ZodType, schema: S): S {
  const text = texts.get(declared);
  assert.ok(text, `${key} is no option elsewhere`);
  return option(schema.clone() as S, { ...text, key });
}

/** One declared option, as commander, help and the reference page need it. */
export interface OptionRow {
  readonly name: string;
  /** `--store-concurrency`, or `--no-verify` for one that is on unless said. */
  readonly flag: string;
  readonly env: string | undefined;
  readonly shape: 'switch' | 'value' | 'list';
  readonly text: OptionText;
  /** As text; undefined when there is none, or for switches and lists. */
  readonly fallback: string | undefined;
  readonly required: boolean;
  /** All values that it may have, where they are an enumeration. */
  readonly choices?: readonly string[];
}

/** All options and arguments of a schema, in the order of their declaration. */
export function optionRows(schema: z.ZodObject): OptionRow[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    const text = texts.get(field as z.ZodType);
    if (!text) throw new TypeError(`option ${name} has no text`);
    const { inner, fallback, required } = unwrap(field as z.ZodType);
    const shape =
      inner instanceof z.ZodBoolean ? 'switch' : inner instanceof z.ZodArray ? 'list' : 'value';
    const prefix = fallback === true ? 'no-' : '';
    const suffix = text.secret ? '-file' : '';
    const named = text.env === false || text.argument ? undefined : environmentName(name);
    return {
      name,
      flag: `--${prefix}${kebab(name)}${suffix}`,
      env: named,
      shape,
      text,
      fallback: shape === 'value' && fallback !== undefined ? String(fallback) : undefined,
      required,
      ...(inner instanceof z.ZodEnum && { choices: inner.options.map(String) }),
    };
  });
}

/** Where values come from. `flags` holds what commander has parsed, by option name. */
export interface OptionOrigins {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of the configuration file; keys are option names. */
  readonly file?: Readonly<Record<string, unknown>>;
  /** How messages call that file. */
  readonly fileName?: string;
}

/**
 * Values of all options of `schema`. Errors: `usage` for a wrong flag, `config-invalid` for a wrong
 * variable or file value; both name the place, neither shows a secret.
 */
export function readOptions<S extends z.ZodObject>(schema: S, origins: OptionOrigins): z.infer<S> {
  const values: Record<string, unknown> = {};
  const places: Record<string, Place> = {};
  for (const row of optionRows(schema)) {
    const found = row.text.secret ? findSecret(row, origins) : findValue(row, origins);
    if (!found) continue;
    values[row.name] = found.value;
    places[row.name] = found;
  }
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const [name, index] = (issue?.path ?? []).map(String);
  const row = optionRows(schema).find((candidate) => candidate.name === name);
  const place = name === undefined ? undefined : places[name];
  if (!place) throw missingValue(row, origins.fileName, issue);
  throw wrongValue(place, {
    row,
    index: Number(index ?? 0),
    why: issue ? wordsOf(issue) : 'wrong',
  });
}

/** Zod's own sentences speak of types; those of a declaration are left as they are. */
function wordsOf(issue: z.core.$ZodIssue): string {
  const isText = issue.code === 'too_small' && issue.origin === 'string' && issue.minimum === 1;
  if (isText) return 'it is empty';
  const type = issue.code === 'invalid_type' ? issue.expected : undefined;
  if (type === 'boolean') return 'not true or false';
  if (type === 'string') return 'not a text';
  if (type === 'array') return 'not a list';
  const inner = issue.path.slice(2).map(String).join('.');
  return inner === '' ? issue.message : `${inner}: ${issue.message}`;
}

interface Place {
  readonly value: unknown;
  readonly kind: 'flag' | 'env' | 'file';
  /** How the user calls the place: `--workers`, `CODR_WORKERS`. */
  readonly label: string;
}

function findValue(row: OptionRow, origins: OptionOrigins): Place | undefined {
  const flag = origins.flags[row.name];
  if (flag !== undefined) {
    return { value: flag, kind: 'flag', label: row.text.argument ? argumentLabel(row) : row.flag };
  }
  const text = row.env && origins.env[row.env];
  if (row.env && text) {
    return { value: fromEnvironment(row, text), kind: 'env', label: row.env };
  }
  const path = row.text.fileToo && row.env && origins.env[`${row.env}_FILE`];
  if (path)
    return { value: readSecret(path, `${row.env}_FILE`), kind: 'env', label: `${row.env}_FILE` };
  const value = origins.file?.[row.name];
  return value === undefined ? undefined : { value, kind: 'file', label: labelIn(row, origins) };
}

/** `peer.yaml: limits.workers`, or the bare name where there are no sections. */
function labelIn({ name, text }: OptionRow, { fileName }: Pick<OptionOrigins, 'fileName'>): string {
  const key = text.key ?? (text.secret ? `${name}File` : name);
  return fileName === undefined ? key : `${fileName}: ${key}`;
}

function findSecret(row: OptionRow, origins: OptionOrigins): Place | undefined {
  const flag = origins.flags[`${row.name}File`];
  if (typeof flag === 'string') {
    return { value: readSecret(flag, row.flag), kind: 'flag', label: row.flag };
  }
  const [plain, path] = [origins.env[row.env ?? ''], origins.env[`${row.env}_FILE`]];
  if (plain && path) {
    throw new CodrError('config-invalid', `${row.env} and ${row.env}_FILE are both set`, {
      remedy: 'set one of them',
    });
  }
  if (path) {
    return { value: readSecret(path, `${row.env}_FILE`), kind: 'env', label: `${row.env}_FILE` };
  }
  if (plain) return { value: plain, kind: 'env', label: String(row.env) };
  const listed = origins.file?.[`${row.name}File`];
  if (typeof listed !== 'string') return undefined;
  const label = labelIn(row, origins);
  return { value: readSecret(listed, label), kind: 'file', label };
}

/** The content of a secret's file without its line end. Errors: `config-invalid`. */
export function readSecret(path: string, label: string): string {
  let content: string;
  try {
    content = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new CodrError('config-invalid', `${label}: the file ${path} cannot be read`, {
      object: path,
      remedy: 'name a file that exists and that this user can read',
      cause,
    });
  }
  if (content === '') {
    throw new CodrError('config-invalid', `${label}: the file ${path} is empty`, { object: path });
  }
  return content;
}

function fromEnvironment(row: OptionRow, text: string): unknown {
  if (row.shape === 'list') return text.split(',').map((item) => item.trim());
  if (row.shape !== 'switch') return text;
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  return text;
}

interface Wrong {
  readonly row: OptionRow | undefined;
  /** Of the item, in a list. */
  readonly index: number;
  readonly why: string;
}

function wrongValue(place: Place, { row, index, why }: Wrong): CodrError {
  const value = Array.isArray(place.value) ? place.value[index] : place.value;
  const shown = row?.text.secret ? '' : ` ${JSON.stringify(value)}`;
  const detail: ErrorDetail = { object: place.label, remedy: `give ${expected(row)}` };
  const code = place.kind === 'flag' ? 'usage' : 'config-invalid';
  return new CodrError(code, `${place.label}${shown}: ${why}`, detail);
}

/** A value that nobody gave. An issue of the declaration's own says why it is wanted. */
function missingValue(
  row: OptionRow | undefined,
  fileName: string | undefined,
  issue: z.core.$ZodIssue | undefined,
): CodrError {
  if (!row) return new CodrError('usage', 'a value is missing');
  const { flag, env, text } = row;
  const isInFile = text.key !== undefined && fileName !== undefined;
  const label = text.argument ? argumentLabel(row) : isInFile ? labelIn(row, { fileName }) : flag;
  const twin = env && `, or set ${env}${text.fileToo || text.secret ? ` or ${env}_FILE` : ''}`;
  const key = text.key && `, or write ${text.key} into the file of --config`;
  const why = issue?.code === 'custom' ? `: ${issue.message}` : '';
  return new CodrError(isInFile ? 'config-invalid' : 'usage', `${label} is missing${why}`, {
    ...(isInFile && { object: fileName }),
    remedy: `give ${text.argument ? '' : `${flag} `}${expected(row)}${twin ?? ''}${key ?? ''}`,
  });
}

const argumentLabel = (row: OptionRow): string => row.text.value ?? row.flag;
const expected = (row: OptionRow | undefined): string =>
  row ? `${row.text.value ?? 'true or false'}: ${row.text.text}` : 'another value';

function unwrap(field: z.ZodType): { inner: z.ZodType; fallback: unknown; required: boolean } {
  let inner = field;
  let fallback: unknown;
  let required = true;
  while (
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodOptional
  ) {
    required = false;
    if (!(inner instanceof z.ZodOptional)) fallback = inner.def.defaultValue;
    inner = inner.unwrap() as z.ZodType;
  }
  return { inner, fallback, required };
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
const environmentName = (name: string): string =>
  `CODR_${name.replace(/[A-Z]/g, (c) => `_${c}`).toUpperCase()}`;
