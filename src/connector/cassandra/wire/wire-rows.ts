// A result of rows, cell by cell as the server sent them. Types of columns are passed over: nobody here decodes.
import type { BodyReader } from './wire-message.ts';

/** One value per column that was asked for; undefined for null. */
export type WireRow = readonly (Uint8Array | undefined)[];

export interface WirePage {
  readonly rows: readonly WireRow[];
  /** Where the next page begins; undefined after the last one. */
  readonly pagingState: Uint8Array | undefined;
}

const rowsKind = 2;
const metadataFlags = {
  globalTable: 0x01,
  morePages: 0x02,
  noColumns: 0x04,
  changed: 0x08,
} as const;
const typeKinds = {
  custom: 0x00,
  list: 0x20,
  map: 0x21,
  set: 0x22,
  udt: 0x30,
  tuple: 0x31,
} as const;

/** Reads the body of a RESULT; other results than rows have none. */
export function readRows(body: BodyReader): WirePage {
  if (body.i32() !== rowsKind) return { rows: [], pagingState: undefined };
  const flags = body.i32();
  const columns = body.i32();
  const pagingState = (flags & metadataFlags.morePages) !== 0 ? body.bytes() : undefined;
  if ((flags & metadataFlags.changed) !== 0) body.take(body.u16());
  if ((flags & metadataFlags.noColumns) === 0) passColumns(body, columns, flags);
  const count = body.i32();
  const rows: WireRow[] = [];
  for (let row = 0; row < count; row++) {
    const cells: (Uint8Array | undefined)[] = [];
    for (let column = 0; column < columns; column++) cells.push(body.bytes());
    rows.push(cells);
  }
  return { rows, pagingState };
}

function passColumns(body: BodyReader, columns: number, flags: number): void {
  const isGlobal = (flags & metadataFlags.globalTable) !== 0;
  if (isGlobal) passTexts(body, 2);
  for (let column = 0; column < columns; column++) {
    if (!isGlobal) passTexts(body, 2);
    body.text();
    passType(body);
  }
}

function passType(body: BodyReader): void {
  const kind = body.u16();
  if (kind === typeKinds.custom) body.text();
  if (kind === typeKinds.list || kind === typeKinds.set) passType(body);
  if (kind === typeKinds.map) {
    passType(body);
    passType(body);
  }
  if (kind === typeKinds.udt) {
    passTexts(body, 2);
    for (let left = body.u16(); left > 0; left--) {
      body.text();
      passType(body);
    }
  }
  if (kind === typeKinds.tuple) {
    for (let left = body.u16(); left > 0; left--) passType(body);
  }
}

function passTexts(body: BodyReader, count: number): void {
  for (let left = count; left > 0; left--) body.text();
}
