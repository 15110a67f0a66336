// MongoDB replica sets: binds session, fold, catalog and target into the connector port. Streams are
// oplogs, datasets are collections by UUID, source times are cluster times.
import { BSON } from 'mongodb';
import { CodrError } from '../../base/error.ts';
import type { SourceTime } from '../../model/time.ts';
import type { Connector } from '../connector.ts';
import { foldCatalog, openCatalog } from './catalog/catalog-folder.ts';
import { foldRange } from './fold/fold-range.ts';
import { keyOfDocument } from './key/key-codec.ts';
import { orderPrefixBytes } from './oplog/effects.ts';
import { MongodbSession } from './session/mongodb-session.ts';
import { MongodbTarget } from './target/mongodb-target.ts';

export const mongodbConnector: Connector = {
  kind: 'mongodb',
  capabilities: { orderedLog: true, snapshotReads: true },
  connect: (config, context, signal) => MongodbSession.open(config.uri, context, signal),
  openTarget: (config, context, signal) => MongodbTarget.open(config.uri, context, signal),
  foldRange,
  foldCatalog,
  openCatalog,
  nativeValue: (entry, record) =>
    entry.kind === 'capped' ? record.value.subarray(orderPrefixBytes) : record.value,
  parseTime,
  formatTime: (time) => `${time >> 32n}:${time & 0xffffffffn}`,
  wallMs: (time) => Number(time >> 32n) * 1000,
  // Increments say nothing about the part of a second: a moment within a second means its end.
  timeOfWall: (ms) => (BigInt(Math.floor(ms / 1000)) << 32n) | 0xffffffffn,
  parseKey,
  renderValue: (value) => BSON.EJSON.stringify(readable(value), { relaxed: false }),
  redact,
};

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

/** Objects for people to read; the driver's own types keep what JavaScript would lose. */
function readable(value: Uint8Array): BSON.Document {
  return BSON.deserialize(value, { promoteValues: false, bsonRegExp: true });
}

/** The password of the login part, and of options that hold one, as `***`. */
function redact(uri: string): string {
  return uri
    .replace(/^([a-z+]+:\/\/[^:@/?]*):.*@/is, '$1:***@')
    .replace(/([?&](?:tlsCertificateKeyFilePassword|authMechanismProperties)=)[^&]*/gi, '$1***');
}
