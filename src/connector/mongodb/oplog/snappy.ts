// Reads snappy and S2 streams, for tests on logs that others gathered. Checksums are passed over.
// Source: google/snappy framing_format.txt, format_description.txt; S2 adds repeated offsets.

/** The content of a framed stream. */
export function unsnappy(stream: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at + 4 <= stream.length; ) {
    const kind = stream[at];
    const end = at + 4 + stream.readUIntLE(at + 1, 3);
    if (kind === 0) parts.push(unsnappyBlock(stream.subarray(at + 8, end)));
    else if (kind === 1) parts.push(stream.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(parts);
}

function unsnappyBlock(block: Buffer): Buffer {
  let at = 0;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = block[at++] as number;
    length |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  const out = Buffer.alloc(length);
  let offset = 0;
  for (let to = 0; at < block.length; ) {
    const tag = block[at++] as number;
    if ((tag & 3) === 0) {
      let count = (tag >> 2) + 1;
      if (count > 60) {
        const bytes = count - 60;
        count = block.readUIntLE(at, bytes) + 1;
        at += bytes;
      }
      to += block.copy(out, to, at, at + count);
      at += count;
      continue;
    }
    const bytes = [0, 1, 2, 4][tag & 3] as number;
    const low = block.readUIntLE(at, bytes);
    at += bytes;
    let count = bytes === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const next = bytes === 1 ? ((tag >> 5) << 8) | low : low;
    if (bytes === 1 && next === 0) {
      // S2: the last offset again; counts over 8 follow in 1 to 3 bytes.
      const more = count - 8;
      if (more > 0) {
        count = block.readUIntLE(at, more) + [0, 8, 260, 65_540][more]!;
        at += more;
      }
    } else {
      offset = next;
    }
    for (let i = 0; i < count; i++, to++) out[to] = out[to - offset] as number;
  }
  return out;
}
