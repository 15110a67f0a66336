// The pages of an index object that hold ids of given slots (the first 12 bits of an id). Of a large object a peer reads
// the few pages of its slots: those where evenly spread ids would stand, and on until it sees that there are no more.
// Of a small one it reads all pages of their leading bytes.
import { entryBytes, type IndexTables, pageEntries } from './index-codec.ts';
import type { IndexObject } from './index-object.ts';
import { type LeadingBytes, pagesIn } from './merge-objects.ts';

const slotsPerByte = 16;
/** Pages on each side of those where a slot should stand: twice the standard deviation in the largest objects. */
const marginPages = 4;
const pagesAtOnce = 128;

interface Pages {
  readonly first: number;
  readonly last: number;
}

/** Slots one after the other below one leading byte, and the pages where they should stand. */
interface SlotRun {
  /** The first two bytes of ids are at least `start`, and below `end`. */
  readonly start: number;
  readonly end: number;
  readonly pages: Pages;
  /** Of all ids with their leading byte. */
  readonly bounds: Pages;
}

/**
 * Pages, and the offsets between which ids of those slots may stand beside others, some pages twice. Errors: those of
 * reading pages.
 */
export async function* pagesOfSlots(
  object: IndexObject,
  slots: Uint8Array,
  signal?: AbortSignal,
): AsyncGenerator<[Buffer, number, number]> {
  const { firstByte, lastByte } = object.header;
  if (!slots.subarray(firstByte * slotsPerByte, (lastByte + 1) * slotsPerByte).includes(1)) return;
  const tables = await object.tables(signal);
  const whole = new Uint8Array(256);
  const parts: SlotRun[] = [];
  for (let byte = firstByte; byte <= lastByte; byte++) {
    const runs = runsOf(slots, byte, tables);
    const pages = runs.reduce((sum, run) => sum + lengthOf(run.pages), 0);
    if (runs[0] && pages * 2 < lengthOf(runs[0].bounds)) parts.push(...runs);
    else if (runs[0]) whole[byte] = 1;
  }
  for (const range of rangesOf(whole)) yield* pagesIn(object, range, signal);
  for (const run of parts) {
    for await (const page of pagesOfRun(object, run, signal)) yield [page, 0, page.length];
  }
}

/** Reads on to both sides until the first entry stands below the slots, and the last one above. */
async function* pagesOfRun(
  object: IndexObject,
  { start, end, pages, bounds }: SlotRun,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  let { first, last } = pages;
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let [below, above] = [false, false];
  const read = async function* (from: number, to: number): AsyncGenerator<Buffer> {
    for (let at = from; at <= to; at += pagesAtOnce) {
      const length = Math.min(pagesAtOnce, to - at + 1);
      const wanted = Array.from({ length }, (_, i) => at + i);
      for (const [number, page] of await object.readPages(wanted, signal, { once: true })) {
        if (number < lowest) below = page.readUInt16BE(0) < start;
        if (number > highest) above = page.readUInt16BE(page.length - entryBytes) >= end;
        lowest = Math.min(lowest, number);
        highest = Math.max(highest, number);
        yield page;
      }
    }
  };
  yield* read(first, last);
  while (!below && first > bounds.first) {
    const to = first - 1;
    first = Math.max(bounds.first, first - 2 * marginPages);
    yield* read(first, to);
  }
  while (!above && last < bounds.last) {
    const from = last + 1;
    last = Math.min(bounds.last, last + 2 * marginPages);
    yield* read(from, last);
  }
}

/** None when no id begins with the byte, or no slot below it is wanted. */
function runsOf(slots: Uint8Array, byte: number, { fanOut }: IndexTables): SlotRun[] {
  const from = fanOut[byte] as number;
  const count = (fanOut[byte + 1] as number) - from;
  if (count === 0) return [];
  const pageAt = (entry: number): number => Math.floor(entry / pageEntries);
  const bounds = { first: pageAt(from), last: pageAt(from + count - 1) };
  const runs: SlotRun[] = [];
  let firstSlot = -1;
  for (let slot = 0; slot <= slotsPerByte; slot++) {
    const isWanted = slot < slotsPerByte && slots[byte * slotsPerByte + slot] === 1;
    if (isWanted && firstSlot < 0) firstSlot = slot;
    if (isWanted || firstSlot < 0) continue;
    const guess = (of: number): number => pageAt(from + (count * of) / slotsPerByte);
    const first = Math.max(bounds.first, guess(firstSlot) - marginPages);
    const last = Math.min(bounds.last, guess(slot) + marginPages);
    const [start, end] = [byte * 256 + firstSlot * 16, byte * 256 + slot * 16];
    runs.push({ start, end, pages: { first, last }, bounds });
    firstSlot = -1;
  }
  return runs;
}

const lengthOf = ({ first, last }: Pages): number => last - first + 1;

/** Runs of leading bytes that are flagged. */
function* rangesOf(flags: Uint8Array): Generator<LeadingBytes> {
  for (let byte = 0; byte < 256; byte++) {
    if (flags[byte] !== 1) continue;
    const firstByte = byte;
    while (flags[byte + 1] === 1) byte++;
    yield { firstByte, lastByte: byte };
  }
}
