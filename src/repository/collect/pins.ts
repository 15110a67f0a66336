// Pins: what readers hold while they read. A pin names the entry from which its reader reads on, so it
// holds back only what was let go after that entry.
import type { Clock } from '../../base/clock.ts';
import { type MutableContext, readMutable, removeMutable } from '../lineage/mutable.ts';
import { nameOf, type ProcessIdentity, type ProcessProbe } from '../lineage/writer.ts';

/** Value of `mutable/pin/<id>/<n>`; the newest counts, and the one before stays beside it. */
export interface PinRecord {
  readonly lineage: string;
  readonly holder: ProcessIdentity;
  readonly sinceMs: number;
  /** Absent in the first value. */
  readonly renewedMs?: number;
  /** The reader sees this entry or a later one; −1 when nothing had been read. */
  readonly seq: number;
}

/** A pin of a host that cannot be asked counts for this long after its last renewal. */
export const unknownPinMs = 24 * 60 * 60 * 1000;
/** A pin that its holder could not take away, or that a repeated call made again, must not count while that lives. */
const alivePinMs = 7 * unknownPinMs;
/** Holders renew their pins this often. */
export const renewPinMs = unknownPinMs / 4;

/** Pins that count. Those of processes of this host that have ended are removed, and those that nobody renews. */
export async function livePins(
  context: MutableContext,
  world: { readonly probe: ProcessProbe; readonly clock: Clock },
): Promise<PinRecord[]> {
  const live = new Map<string, PinRecord>();
  for await (const { name } of context.store.list('mutable/pin/')) {
    const [, , id = '', n] = name.split('/');
    const place = { what: 'pin', id, n: Number(n) };
    const pin = await readMutable<PinRecord>(context, place);
    if (!pin) continue;
    const known = await world.probe.isAlive(pin.holder);
    const ageMs = world.clock.now() - lastSign(pin);
    if (known === 'dead' || ageMs >= alivePinMs) await removeMutable(context, place);
    else if (known === 'alive' || ageMs < unknownPinMs) live.set(id, pin);
  }
  return [...live.values()];
}

function lastSign({ sinceMs, renewedMs = sinceMs }: PinRecord): number {
  return renewedMs;
}

/** For people. */
export function describePin({ holder, lineage, sinceMs }: PinRecord): string {
  return `${nameOf(holder)} reads ${lineage} since ${new Date(sinceMs).toISOString()}`;
}
