// The time of a cut: when it ended, ms since 1970, and its number, so that it grows even where clocks do not.
import type { SourceTime } from '../../model/time.ts';

/** Bits of the cut's number: a cut every 15 minutes for 29 years. */
const numberBits = 20n;
const numberMax = (1n << numberBits) - 1n;

export function cutTime(wallMs: number, number: number): SourceTime {
  return (BigInt(wallMs) << numberBits) | (BigInt(number) & numberMax);
}

/** `cut:7` */
export function formatTime(time: SourceTime): string {
  return `cut:${time & numberMax}`;
}

export function wallMs(time: SourceTime): number {
  return Number(time >> numberBits);
}

/** A whole second means all of it; else the very millisecond. */
export function timeOfWall(ms: number): SourceTime {
  const whole = Math.floor(ms);
  const last = whole === ms && whole % 1000 === 0 ? whole + 999 : whole;
  return (BigInt(last) << numberBits) | numberMax;
}
