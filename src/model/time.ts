// The source's own clock and places in its logs. Never our clock.

/**
 * A moment of a source: an unsigned 64-bit number that only grows. For MongoDB the cluster time, seconds
 * in the upper 32 bits and the increment in the lower.
 */
export type SourceTime = bigint;

export const firstTime: SourceTime = 0n;
export const lastTime: SourceTime = (1n << 64n) - 1n;

/** A place in a stream. Equal times with other terms are different histories (a rollback). */
export interface Position {
  readonly time: SourceTime;
  readonly term: bigint;
}

/** Order of places within one stream's history. */
export function comparePositions(a: Position, b: Position): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  if (a.term !== b.term) return a.term < b.term ? -1 : 1;
  return 0;
}

export function maxTime(a: SourceTime, b: SourceTime): SourceTime {
  return a > b ? a : b;
}

export function minTime(a: SourceTime, b: SourceTime): SourceTime {
  return a < b ? a : b;
}

/** 16 hex digits: sorts as text as it does as a number. The form in lineage entries. */
export function timeToHex(time: SourceTime): string {
  return time.toString(16).padStart(16, '0');
}

export function timeFromHex(text: string): SourceTime {
  return BigInt(`0x${text}`);
}

/** `<time>.<term>`, both hex. The form in lineage entries. */
export function positionToText(position: Position): string {
  return `${timeToHex(position.time)}.${position.term.toString(16)}`;
}

export function positionFromText(text: string): Position {
  const dot = text.indexOf('.');
  return { time: timeFromHex(text.slice(0, dot)), term: BigInt(`0x${text.slice(dot + 1)}`) };
}
