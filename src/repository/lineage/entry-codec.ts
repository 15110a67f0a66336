// One lineage entry as bytes: sealed, MACed, chained to the entry before it. docs/format/lineage.md.
//
//   0   8  magic "CODRLINE"
//   8   2  format version (1)
//  10   2  zero
//  12   4  key epoch
//  16   8  sequence number
//  24  32  salt
//  56   8  zero
//  64   …  AES-256-GCM ciphertext of the body, key = entryKey(epoch, salt), nonce zero
//   …  16  GCM tag; AAD = repository id, lineage id, the 64 bytes of header
//   …  32  HMAC-SHA256 under K_mac over everything before
//
// Body before encryption: one byte 0 (plain) or 1 (zstd), then u32 length of the JSON, the JSON, and the
// attachments (inline runs) as they come.
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  timingSafeEqual,
} from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ByteReader, ByteWriter, concatBytes, view } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { type RepositoryKeys, secretOf } from '../keys/repository-keys.ts';

/** One change of the state: a key gets a value, or goes (null). */
export type StateChange = readonly [key: string, value: unknown];

/** Where the whole state before an entry is stored as a tree, in tree packs. */
export interface StoredState {
  /** Hex leaf id of the root. */
  readonly root: string;
  readonly height: number;
  readonly records: number;
  readonly bytes: number;
}

export interface LineageEntry {
  readonly seq: number;
  /** Hex SHA-256 of the object before; empty for the first. */
  readonly parent: string;
  /** Random, 16 bytes hex: tells an own entry from a winner's after a lost reply. */
  readonly nonce: string;
  /** Who wrote it: see `writer.ts`. */
  readonly writer: string;
  /** Wall clock of the writer, for people. */
  readonly wallMs: number;
  /** The newest entry at or before this one that carries the state; −1 when there is none yet. */
  readonly stateSeq: number;
  /** The state before this entry's own changes. */
  readonly state?: StoredState;
  readonly changes: readonly StateChange[];
}

export interface EntryContext {
  readonly repositoryId: string;
  readonly lineage: string;
  readonly keys: RepositoryKeys;
}

const headerBytes = 64;
const tagBytes = 16;
const macBytes = 32;
const magic = 'CODRLINE';
const compressFrom = 512;

/** The object's bytes. `salt` is 32 fresh random bytes. */
export function encodeEntry(
  context: EntryContext,
  entry: LineageEntry,
  attachments: readonly Uint8Array[],
  salt: Uint8Array,
): Uint8Array {
  const header = headerOf(context.keys.epoch, entry.seq, salt);
  const json = Buffer.from(JSON.stringify(entry), 'utf8');
  const plain = concatBytes([new ByteWriter(4).u32(json.length).finish(), json, ...attachments]);
  const packed = plain.length >= compressFrom ? zstdCompressSync(plain) : plain;
  const smaller = packed.length < plain.length;
  const cipher = createCipheriv(
    'aes-256-gcm',
    createSecretKey(context.keys.entryKey(context.keys.epoch, salt)),
    Buffer.alloc(12),
  );
  cipher.setAAD(additionalData(context, header));
  const sealed = concatBytes([
    header,
    cipher.update(Buffer.from([smaller ? 1 : 0])),
    cipher.update(smaller ? packed : plain),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return concatBytes([
    sealed,
    createHmac('sha256', secretOf(context.keys.mac)).update(sealed).digest(),
  ]);
}

export interface DecodedEntry {
  readonly entry: LineageEntry;
  readonly attachments: Uint8Array;
  /** Length of the entry as JSON. */
  readonly textBytes: number;
}

/** Errors: `object-damaged` naming `name`, `format-unknown`. */
export function decodeEntry(context: EntryContext, name: string, bytes: Uint8Array): DecodedEntry {
  const damaged = (why: string, cause?: unknown): CodrError =>
    new CodrError('object-damaged', `${name}: ${why}`, { object: name, cause });
  if (bytes.length < headerBytes + 1 + tagBytes + macBytes) throw damaged('too short');
  const sealed = bytes.subarray(0, bytes.length - macBytes);
  const mac = createHmac('sha256', secretOf(context.keys.mac)).update(sealed).digest();
  const header = sealed.subarray(0, headerBytes);
  if (view(header).toString('latin1', 0, 8) !== magic) throw damaged('not a lineage entry');
  if (!timingSafeEqual(mac, bytes.subarray(-macBytes))) throw damaged('its MAC does not fit');
  const format = view(header).readUInt16LE(8);
  if (format !== 1) throw new CodrError('format-unknown', `${name}: format ${format}`);
  const epoch = view(header).readUInt32LE(12);
  const salt = header.subarray(24, 56);
  try {
    const decipher = createDecipheriv(
      'aes-256-gcm',
      createSecretKey(context.keys.entryKey(epoch, salt)),
      Buffer.alloc(12),
    );
    decipher.setAAD(additionalData(context, header));
    decipher.setAuthTag(sealed.subarray(-tagBytes));
    const body = Buffer.concat([
      decipher.update(sealed.subarray(headerBytes, -tagBytes)),
      decipher.final(),
    ]);
    const plain = body[0] === 1 ? zstdDecompressSync(body.subarray(1)) : body.subarray(1);
    const reader = new ByteReader(plain);
    const json = reader.bytes(reader.u32());
    const entry = JSON.parse(view(json).toString('utf8')) as LineageEntry;
    return { entry, attachments: reader.bytes(reader.remaining), textBytes: json.length };
  } catch (error) {
    throw damaged('its content does not open', error);
  }
}

function headerOf(epoch: number, seq: number, salt: Uint8Array): Uint8Array {
  const header = Buffer.alloc(headerBytes);
  header.write(magic, 'latin1');
  header.writeUInt16LE(1, 8);
  header.writeUInt32LE(epoch, 12);
  header.writeBigUInt64LE(BigInt(seq), 16);
  header.set(salt, 24);
  return header;
}

function additionalData(context: EntryContext, header: Uint8Array): Uint8Array {
  return concatBytes([Buffer.from(`${context.repositoryId}/${context.lineage}/`, 'utf8'), header]);
}
