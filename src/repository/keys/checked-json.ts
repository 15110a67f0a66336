// Small objects in the clear: canonical JSON with a checksum of its own, so that damage is told apart from
// a wrong key. Canonical: members sorted by name, no white space, numbers are safe integers.
// Layout: docs/format/keys.md.
import { hash } from 'node:crypto';
import { CodrError } from '../../base/error.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

/** Equal values give equal text, whatever the order in which their members were set. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalJson(item)).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value as JsonObject).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${canonicalJson(item)}`).join(',')}}`;
}

/** UTF-8 of `{"body":…,"check":…}`; `check` is the SHA-256 of the canonical body. */
export function encodeCheckedJson(body: JsonObject): Uint8Array {
  const check = hash('sha256', canonicalJson(body), 'hex');
  return Buffer.from(`${canonicalJson({ body, check })}\n`, 'utf8');
}

/** The body. Throws `object-damaged`, naming `object`, when a byte differs from what was written. */
export function decodeCheckedJson(object: string, bytes: Uint8Array): JsonObject {
  const damaged = (why: string, cause?: unknown): CodrError =>
    new CodrError('object-damaged', `${object} is damaged: ${why}`, { object, cause });
  let parsed: { readonly body?: JsonObject; readonly check?: string };
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw damaged('not JSON', error);
  }
  if (typeof parsed?.body !== 'object' || parsed.body === null) throw damaged('no body');
  if (Buffer.compare(encodeCheckedJson(parsed.body), bytes) !== 0)
    throw damaged('checksum differs');
  return parsed.body;
}
