// Source times as people read them.
import type { SourceTime } from '../../model/time.ts';

/** `1763816700:42`: seconds and increment. */
export function formatTime(time: SourceTime): string {
  return `${time >> 32n}:${time & 0xffffffffn}`;
}

/** Ms since 1970. */
export function wallMs(time: SourceTime): number {
  return Number(time >> 32n) * 1000;
}

/** `1763816700:42 (2025-11-22T13:05:00.000Z)`, for messages. */
export function describeTime(time: SourceTime): string {
  return `${formatTime(time)} (${new Date(wallMs(time)).toISOString()})`;
}
