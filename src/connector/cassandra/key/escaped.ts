// Byte strings in a form that ends by itself and sorts as they do (OSS50): a 00 follows the string, and a run of
// zeros is written 00, FE for each further one, then FF, but for the last run: it has the final 00 and no FF.
//
//   22 → 22 00      22 00 → 22 00 FE      22 00 00 33 → 22 00 FE FF 33 00
//
// What follows must be within 10..EF, so that it is neither FE nor FF.

/** Upper bound of the escaped length of `length` bytes: every second one may be a zero. */
export function escapedLengthMax(length: number): number {
  return length + (length >> 1) + 2;
}

/** Writes the escaped form of bytes[start, end) at target[at] and returns the offset after it. */
export function writeEscaped(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  let to = at;
  let inRun = false;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte === 0) {
      target[to++] = inRun ? 0xfe : 0;
      inRun = true;
      continue;
    }
    if (inRun) target[to++] = 0xff;
    inRun = false;
    target[to++] = byte;
  }
  target[to++] = inRun ? 0xfe : 0;
  return to;
}

/**
 * The offset after the escaped form at bytes[at], or -1 when none ends before `to`: the byte after it must be
 * there. `mask` is FF for inverted forms, else 0.
 */
export function escapedEnd(bytes: Uint8Array, at: number, to: number, mask = 0): number {
  let i = at;
  while (i < to) {
    if (((bytes[i++] as number) ^ mask) !== 0) continue;
    while (i < to && ((bytes[i] as number) ^ mask) === 0xfe) i++;
    if (i >= to) return -1;
    if (((bytes[i] as number) ^ mask) !== 0xff) return i;
    i++;
  }
  return -1;
}

/** Writes the string whose escaped form is bytes[at, end) at target[to]; returns the offset after it. */
export function writeUnescaped(
  bytes: Uint8Array,
  at: number,
  end: number,
  target: Uint8Array,
  to: number,
  mask = 0,
): number {
  let next = to;
  let inRun = false;
  for (let i = at; i < end; i++) {
    const byte = (bytes[i] as number) ^ mask;
    if (inRun && byte === 0xff) {
      inRun = false;
      continue;
    }
    if (inRun && byte === 0xfe) {
      target[next++] = 0;
      continue;
    }
    inRun = byte === 0;
    target[next++] = byte;
  }
  // The last zero is the one that ends the form.
  return next - 1;
}
