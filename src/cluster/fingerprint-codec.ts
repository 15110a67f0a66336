// What peers ask each other about fingerprints, as bytes. All integers are little-endian or unsigned LEB128.
//
// Question   u8 1 | epoch | varint askers | askers × (varint session, varint ids) | all ids, 16 bytes each
// Hint       u8 2 | varint count | count × text (a lineage with a new entry)
// Answer     u8 1 | epoch | varint packs | packs × (32 bytes, u8 kind, varint bytes, varint leaves)
//            | u8 0 or 1 (slots have moved) | ids × u16 (0 unknown, 1 being stored, 2 + number of the pack)
// Refusal    u8 2 | epoch: the answerer knows no table of slots, or one of another term
// epoch      text cluster id | varint revision; text is a varint length and UTF-8
//
// Limits: 16,384 ids a question, and so as many packs an answer; 257 KiB a question, 720 KiB an answer.
import { assert } from '../base/assert.ts';
import { ByteReader, ByteWriter, fromHex, TruncatedBytesError, toHex } from '../base/bytes.ts';
import { CodrError } from '../base/error.ts';
import { type PackId, packId } from '../model/id.ts';
import type { Epoch } from './epoch.ts';

/** Bytes of an id that are asked for: 2⁻¹²⁸ a pair is no collision that ever happens. */
export const fingerprintBytes = 16;
/** In one call, of all who ask at a time: a call costs as much as 3,000 ids. */
export const batchMax = 16_384;

/** A stored and committed pack, as a commit lists it. */
export interface KnownPack {
  readonly id: PackId;
  readonly kind: 'd' | 't' | 'c';
  readonly bytes: number;
  readonly leaves: number;
}

/**
 * `undefined`: unknown, so write it. `storing`: unknown too, and an older piece of work has said that it will
 * write it; who can wait asks again, who cannot writes it as well.
 */
export type Verdict = KnownPack | 'storing' | undefined;

/** `unanswered`: whoever owns the slot says nothing. */
export type Said = Verdict | 'unanswered';

/** Ids of one piece of work. A lower session is the older one. */
export interface Asker {
  readonly session: number;
  readonly count: number;
}

export interface Question {
  readonly epoch: Epoch;
  readonly askers: readonly Asker[];
  /** Back to back, in the order of the askers. */
  readonly ids: Uint8Array;
}

export type Message =
  | { readonly kind: 'question'; readonly question: Question }
  | { readonly kind: 'hint'; readonly lineages: readonly string[] };

export interface Answer {
  readonly epoch: Epoch;
  /** By id, as asked; absent when the question was refused. */
  readonly verdicts?: readonly Verdict[];
  /** Some ids were in slots that the answerer does not own. */
  readonly moved: boolean;
}

/** By id: when slots have moved, nobody knows of which ids the answerer only does not own the slot. */
export function saidBy({ verdicts, moved }: Answer): readonly Said[] | undefined {
  return moved ? verdicts?.map((verdict) => verdict ?? 'unanswered') : verdicts;
}

const [questionKind, hintKind] = [1, 2];
const answerKind = 1;
const refusalKind = 2;
const [unknown, storing] = [0, 1];
export const firstPack = 2;
const lineagesMax = 65_536;
const packKinds = ['d', 't', 'c'] as const;

export function encodeQuestion({ epoch, askers, ids }: Question): Uint8Array {
  const writer = new ByteWriter(ids.length + 64 + askers.length * 12).u8(questionKind);
  writeEpoch(writer, epoch).varint(askers.length);
  for (const { session, count } of askers) writer.varint(session).varint(count);
  return writer.bytes(ids).finish();
}

export function encodeHint(lineages: readonly string[]): Uint8Array {
  const writer = new ByteWriter().u8(hintKind).varint(lineages.length);
  for (const lineage of lineages) writer.text(lineage);
  return writer.finish();
}

/** Views of `bytes`. Errors: `format-unknown` for what is no message of this version. */
export function decodeMessage(bytes: Uint8Array): Message {
  return checked('question', () => {
    const reader = new ByteReader(bytes);
    const kind = reader.u8();
    if (kind === questionKind) return { kind: 'question', question: readQuestion(reader) };
    if (kind !== hintKind) throw new TruncatedBytesError(`a message of kind ${kind}`);
    const count = bounded(reader.varint(), lineagesMax);
    const lineages = Array.from({ length: count }, () => reader.text());
    return { kind: 'hint', lineages: atEnd(reader, lineages) };
  });
}

export function encodeAnswer({ epoch, verdicts, moved }: Answer): Uint8Array {
  const writer = new ByteWriter(64 + (verdicts?.length ?? 0) * 4);
  if (!verdicts) return encodeRefusal(epoch);
  assert(verdicts.length <= batchMax, `an answer is for at most ${batchMax} ids`);
  const numbers = new Map<PackId, number>();
  const packs: KnownPack[] = [];
  for (let i = 0; i < verdicts.length; i++) {
    const verdict = verdicts[i];
    if (typeof verdict !== 'object' || numbers.has(verdict.id)) continue;
    numbers.set(verdict.id, packs.push(verdict) - 1);
  }
  writePacks(writeEpoch(writer.u8(answerKind), epoch), packs).u8(moved ? 1 : 0);
  const codes = Buffer.alloc(verdicts.length * 2);
  for (let i = 0; i < verdicts.length; i++) {
    const verdict = verdicts[i];
    if (verdict === undefined) continue; // 0
    const code = verdict === 'storing' ? storing : firstPack + (numbers.get(verdict.id) as number);
    codes[i * 2] = code & 255;
    codes[i * 2 + 1] = code >> 8;
  }
  return writer.bytes(codes).finish();
}

/** `count`: ids that were asked for. Errors: `format-unknown`. */
export function decodeAnswer(bytes: Uint8Array, count: number): Answer {
  return readAnswer(bytes, answerKind, (head, packs, reader) => {
    const verdicts = new Array<Verdict>(count);
    const codes = Buffer.from(reader.bytes(count * 2));
    for (let i = 0; i < count; i++) {
      const code = (codes[i * 2] as number) + (codes[i * 2 + 1] as number) * 256;
      if (code >= firstPack + packs.length) throw new TruncatedBytesError(`no pack ${code}`);
      verdicts[i] = code === unknown ? undefined : code === storing ? 'storing' : packs[code - 2];
    }
    return { ...head, verdicts };
  });
}

type AnswerHead = Pick<Answer, 'epoch' | 'moved'>;

/**
 * What every answer begins with; `read` takes all that follows, and is not called for a refusal. Errors:
 * `format-unknown` for another kind, and for bytes that are missing or left over.
 */
export function readAnswer<T extends AnswerHead>(
  bytes: Uint8Array,
  kind: number,
  read: (head: AnswerHead, packs: readonly KnownPack[], reader: ByteReader) => T,
): T | AnswerHead {
  return checked('answer', () => {
    const reader = new ByteReader(bytes);
    const found = reader.u8();
    const epoch = readEpoch(reader);
    if (found === refusalKind) return atEnd(reader, { epoch, moved: false });
    if (found !== kind) throw new TruncatedBytesError(`an answer of kind ${found}`);
    const packs = readPacks(reader);
    const moved = reader.u8() === 1;
    return atEnd(reader, read({ epoch, moved }, packs, reader));
  });
}

function readQuestion(reader: ByteReader): Question {
  const epoch = readEpoch(reader);
  const count = bounded(reader.varint(), batchMax);
  const askers: Asker[] = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const asker = { session: reader.varint(), count: reader.varint() };
    total = bounded(total + asker.count, batchMax);
    askers.push(asker);
  }
  return { epoch, askers, ids: atEnd(reader, reader.bytes(total * fingerprintBytes)) };
}

/** The answerer knows no table of slots, or one of another term. */
export function encodeRefusal(epoch: Epoch): Uint8Array {
  return writeEpoch(new ByteWriter().u8(refusalKind), epoch).finish();
}

export function writePacks(writer: ByteWriter, packs: readonly KnownPack[]): ByteWriter {
  writer.varint(packs.length);
  for (const { id, kind, bytes, leaves } of packs) {
    writer.bytes(fromHex(id)).u8(packKinds.indexOf(kind)).varint(bytes).varint(leaves);
  }
  return writer;
}

function readPacks(reader: ByteReader): KnownPack[] {
  const length = bounded(reader.varint(), batchMax);
  return Array.from({ length }, () => readPack(reader));
}

function readPack(reader: ByteReader): KnownPack {
  const id = packId(toHex(reader.bytes(32)));
  const kind = packKinds[reader.u8()];
  if (!kind) throw new TruncatedBytesError('a pack of no kind');
  return { id, kind, bytes: reader.varint(), leaves: reader.varint() };
}

export function writeEpoch(writer: ByteWriter, { clusterId, revision }: Epoch): ByteWriter {
  return writer.text(clusterId).varint(revision);
}

function readEpoch(reader: ByteReader): Epoch {
  return { clusterId: reader.text(), revision: reader.varint() };
}

function bounded(count: number, most: number): number {
  if (count > most) throw new TruncatedBytesError(`${count} of at most ${most}`);
  return count;
}

/** `value`, which was read last. */
function atEnd<T>(reader: ByteReader, value: T): T {
  if (reader.remaining > 0) throw new TruncatedBytesError(`${reader.remaining} bytes too many`);
  return value;
}

/** Errors: `format-unknown` for bytes that do not hold what is read. */
function checked<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TruncatedBytesError)) throw error;
    const message = `a peer sent bytes that are no ${what} about fingerprints: ${error.message}`;
    throw new CodrError('format-unknown', message, {
      cause: error,
      remedy: 'run peers of one version',
    });
  }
}
