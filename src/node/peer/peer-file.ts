// The configuration file of a peer: YAML in sections, read into values by the names of peer-options.ts. Every
// field must be one of these rows; paths are meant from the file's own folder.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { CodrError } from '../../base/error.ts';
import { type OptionRow, optionRows } from '../config-option.ts';
import { peerOptions } from './peer-options.ts';

/** Values by option name, as `readOptions` wants them. Errors: `config-invalid`, naming the file and the field. */
export function readPeerFile(path: string): Readonly<Record<string, unknown>> {
  const rows = new Map(optionRows(peerOptions).map((row) => [String(row.text.key), row]));
  const sections = new Set([...rows.keys()].flatMap(sectionsOf));
  const values: Record<string, unknown> = {};
  const wrong: Wrong = (why, remedy, cause) =>
    new CodrError('config-invalid', `${path}: ${why}`, { object: path, remedy, cause });
  const walk = (group: unknown, within: readonly string[]): void => {
    if (typeof group !== 'object' || group === null || Array.isArray(group)) {
      throw wrong(`${within.join('.') || 'the file'}: not a group of fields`);
    }
    for (const [name, value] of Object.entries(group)) {
      const key = [...within, name].join('.');
      const row = rows.get(key);
      if (row) values[row.text.secret ? `${row.name}File` : row.name] = read(row, key, value);
      else if (sections.has(key)) walk(value, [...within, name]);
      else throw wrong(`${key}: not a known field`, `known are ${[...rows.keys()].join(', ')}`);
    }
  };
  const read = (row: OptionRow, key: string, value: unknown): unknown => {
    const fault = faultOf(row, value);
    const { text } = row;
    if (fault)
      throw wrong(`${key}: ${fault}`, `give ${text.value ?? 'true or false'}: ${text.text}`);
    const at = (name: unknown): unknown =>
      isPath(row) && name !== '' ? resolve(dirname(path), String(name)) : name;
    return Array.isArray(value) ? value.map(at) : at(value);
  };
  walk(parsed(path, wrong), []);
  return values;
}

type Wrong = (why: string, remedy?: string, cause?: unknown) => CodrError;

const isPath = ({ text }: OptionRow): boolean => text.value === 'FILE' || text.value === 'FOLDER';

/** All that a key is part of: `etcd` and `etcd.tls` of `etcd.tls.ca`. */
function sectionsOf(key: string): string[] {
  const parts = key.split('.');
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('.'));
}

/** What YAML can have and the text of a flag or variable cannot. */
function faultOf(row: OptionRow, value: unknown): string | undefined {
  if (value === null || value === undefined) return 'empty';
  if (row.shape === 'switch') return typeof value === 'boolean' ? undefined : 'not true or false';
  if (row.shape === 'list') {
    if (!Array.isArray(value)) return 'not a list';
    return isPath(row) && value.some((item) => typeof item !== 'string') ? 'not texts' : undefined;
  }
  if (typeof value === 'string') return undefined;
  return typeof value === 'number' && !isPath(row) ? undefined : 'not a text or number';
}

function parsed(path: string, wrong: Wrong): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw wrong('cannot be read', 'name a file that exists and that this user can read', cause);
  }
  try {
    return parse(text);
  } catch (cause) {
    throw wrong(`is no YAML: ${(cause as Error).message.split(/:?\n/)[0]}`);
  }
}
