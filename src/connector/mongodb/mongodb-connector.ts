// MongoDB replica sets: binds session, fold, catalog and target into the connector port. Streams are
// oplogs, datasets are collections by UUID, source times are cluster times.
import { BSON } from 'mongodb';
import { CodrError } from '../../base/error.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import { keyAlone } from '../../model/key-range.ts';
import type { DataRecord } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';
import type { Connector } from '../connector.ts';
import { renderDocument } from './bson/render-json.ts';
import { foldCatalog, openCatalog } from './catalog/catalog-folder.ts';
import { expiryOf } from './catalog/expiry-rules.ts';
import { foldRange } from './fold/fold-range.ts';
import { keyOfDocument } from './key/key-codec.ts';
import { renderKey } from './key/render-key.ts';
import { orderPrefixBytes } from './oplog/effects.ts';
import { rereadEntry } from './oplog/reread-entry.ts';
import { MongodbSession } from './session/mongodb-session.ts';
import { MongodbTarget } from './target/mongodb-target.ts';
import { viewName } from './target/view-definitions.ts';
import { formatTime, wallMs } from './time-text.ts';

export const mongodbConnector: Connector = {
  kind: 'mongodb',
  capabilities: { orderedLog: true, snapshotReads: true, ttlModes: ['keep', 'hold'] },
  connect: (config, context, signal) => MongodbSession.open(config.uri, context, signal),
  openTarget: (config, context, signal) => MongodbTarget.open(config.uri, context, signal),
  foldRange,
  leadIn: (key) => key,
  reread: rereadEntry,
  foldCatalog,
  openCatalog,
  nativeValue,
  storesNative,
  parseTime,
  formatTime,
  wallMs,
  timeOfWall,
  parseKey: (_, text) => ({ ranges: [keyAlone(parseKey(text))], isOne: true }),
  renderValue: (_, records) => records.map(({ value }) => renderDocument(value)),
  renderKey: (_, { value }) => renderKey(value),
  expiry: (entry, nowMs) => {
    const rule = expiryOf(entry, nowMs);
    if (!rule) return undefined;
    return { ...rule, isExpired: (record) => rule.isExpired(nativeValue(entry, record)) };
  },
  definedName: ({ kind }, { value }) => (kind === 'views' ? viewName(value) : undefined),
  redact,
};

function nativeValue(entry: CatalogEntry, { value }: DataRecord): Uint8Array {
  return storesNative(entry) ? value : value.subarray(orderPrefixBytes);
}

function storesNative({ kind }: CatalogEntry): boolean {
  return kind !== 'capped';
}

/** Increments say nothing about the part of a second: one that has begun may hold what came later. */
function timeOfWall(ms: number): SourceTime {
  const begun = Math.floor(ms / 1000);
  const last = begun * 1000 === ms ? begun : begun - 1;
  return (BigInt(last) << 32n) | 0xffffffffn;
}

/** `seconds:increment`, both decimal and below 2^32. */
function parseTime(text: string): SourceTime | undefined {
  const match = /^(\d{1,10}):(\d{1,10})$/.exec(text);
  if (!match) return undefined;
  const [seconds, increment] = [BigInt(match[1] as string), BigInt(match[2] as string)];
  if (seconds > 0xffffffffn || increment > 0xffffffffn) return undefined;
  return (seconds << 32n) | increment;
}

/** Extended JSON, 24 hex digits for an ObjectId, or else the text itself as a string. */
function parseKey(text: string): Uint8Array {
  try {
    return keyOfDocument(BSON.serialize({ _id: idOf(text.trim()) }));
  } catch (error) {
    throw new CodrError('usage', `"${text}" is not an _id`, {
      cause: error,
      remedy: 'write Extended JSON: 5, "abc", {"$oid": "…"}; or 24 hex digits for an ObjectId',
    });
  }
}

function idOf(text: string): unknown {
  if (/^[0-9a-f]{24}$/i.test(text)) return new BSON.ObjectId(text);
  // JSON numbers are doubles: a whole number is read by itself, so that large ones stay exact.
  if (/^-?\d{1,19}$/.test(text)) return BSON.Long.fromString(text);
  const looksLikeJson = /^(["{[]|-?\d|true$|false$|null$)/.test(text);
  // Relaxed numbers and canonical types both; a whole JSON value, or the command line's plain text.
  return looksLikeJson ? BSON.EJSON.parse(text, { relaxed: false }) : text;
}

/** The password of the login part, and of options that hold one, as `***`. */
function redact(uri: string): string {
  return uri
    .replace(/^([a-z+]+:\/\/[^:@/?]*):.*@/is, '$1:***@')
    .replace(/([?&](?:tlsCertificateKeyFilePassword|authMechanismProperties)=)[^&]*/gi, '$1***');
}
