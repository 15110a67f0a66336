// The table of slots as a value of the coordinator: JSON with the names once and the owners as base64, a byte a
// slot. `{"format":1,"epoch":{"clusterId":"…","revision":7},"peers":["a","b"],"owners":"…"}`, 255 for nobody.
import { assert } from '../base/assert.ts';
import { fromBase64, toBase64 } from '../base/bytes.ts';
import { CodrError } from '../base/error.ts';
import type { Epoch } from './epoch.ts';
import { SlotTable, slotCount } from './slot-table.ts';

/** A table and the term in which it was made. */
export interface SlotAssignment {
  readonly epoch: Epoch;
  readonly table: SlotTable;
}

const format = 1;
const nobody = 255;
/** 255 names of 128 bytes and 4,096 owners take 38 KiB of the 64 KiB that a value may have. */
const peersMax = 255;
const nameBytesMax = 128;

/** Broken promises: more than 255 peers, a name over 128 bytes. */
export function encodeSlots({ epoch, table }: SlotAssignment): string {
  assert(table.peers.length <= peersMax, `a table of slots has at most ${peersMax} peers`);
  for (const name of table.peers) {
    assert(Buffer.byteLength(name) <= nameBytesMax, `the name of a peer is too long: ${name}`);
  }
  // What is nobody's, -1, becomes 255.
  const owners = new Uint8Array(table.owners);
  const { clusterId, revision } = epoch;
  const said = { format, epoch: { clusterId, revision }, peers: table.peers };
  return JSON.stringify({ ...said, owners: toBase64(owners) });
}

/** Errors: `format-unknown` for anything that {@link encodeSlots} of this version does not write. */
export function decodeSlots(value: string): SlotAssignment {
  const said = parsed(value);
  if (said.format !== format) throw unreadable(`its format is ${JSON.stringify(said.format)}`);
  const { clusterId, revision } = (said.epoch ?? {}) as Partial<Record<keyof Epoch, unknown>>;
  if (typeof clusterId !== 'string' || !Number.isSafeInteger(revision)) {
    throw unreadable('it names no epoch');
  }
  const { peers } = said;
  const named = Array.isArray(peers) && peers.every((name) => typeof name === 'string');
  if (!named || new Set(peers).size !== peers.length || peers.length > peersMax) {
    throw unreadable('its peers are no list of distinct names');
  }
  const bytes = typeof said.owners === 'string' ? fromBase64(said.owners) : new Uint8Array(0);
  if (bytes.length !== slotCount) throw unreadable(`it has ${bytes.length} slots`);
  const owners = new Int16Array(slotCount);
  for (let slot = 0; slot < slotCount; slot++) {
    const place = bytes[slot] as number;
    if (place !== nobody && place >= peers.length) throw unreadable('a slot has no owner there is');
    owners[slot] = place === nobody ? -1 : place;
  }
  const epoch = { clusterId, revision: revision as number };
  return { epoch, table: new SlotTable(peers as string[], owners) };
}

function parsed(value: string): Readonly<Record<string, unknown>> {
  try {
    const said: unknown = JSON.parse(value);
    if (said !== null && typeof said === 'object') return said as Record<string, unknown>;
  } catch {
    // Said below, as for any other value.
  }
  throw unreadable('it is no JSON object');
}

function unreadable(why: string): CodrError {
  return new CodrError('format-unknown', `the table of slots cannot be read: ${why}`, {
    remedy: 'run peers of one version; the leader writes the table anew when peers come or go',
  });
}
