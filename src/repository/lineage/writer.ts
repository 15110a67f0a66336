// The one writer of a lineage. Its name stands in the state; another process is told that name before it
// reads anything, and takes over when the holder is proven dead. This is for efficiency and for clear
// messages: safety rests on create-only entries alone.
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import type { Lineage } from './lineage.ts';

/** One process, named so that another on the same host can tell whether it still runs. */
export interface ProcessIdentity {
  readonly host: string;
  /** Of the installation; empty where the system does not say. Tells two machines of one name apart. */
  readonly machineId: string;
  /** Changes with every boot of the host. */
  readonly bootId: string;
  /** The process id namespace. */
  readonly pidSpace: string;
  readonly pid: number;
  /** Start of the process in the host's own ticks: tells a reused pid. */
  readonly startTicks: string;
  /** Of a peer of a cluster: its name and this life of it. */
  readonly peer?: string;
}

/** What this process knows about others. */
export interface ProcessProbe {
  readonly self: ProcessIdentity;
  /** `unknown` for another host. */
  isAlive(other: ProcessIdentity): Promise<'alive' | 'dead' | 'unknown'>;
}

interface WriterRecord extends ProcessIdentity {
  /** Tells two claims of one process apart. */
  readonly claim: string;
  /** Longest silence of a living writer: it commits at least this often, ms. */
  readonly tickMs: number;
  readonly sinceMs: number;
}

/** Held while writing; `held` is checked inside every builder. */
export interface WriterClaim {
  /** Throws `lease-lost` when another writer has taken over. Called with the state an entry will follow. */
  check(state: { get<T>(key: string): T | undefined }): void;
  release(): Promise<void>;
}

const key = 'writer/current';
const silentTicks = 3;
/** Claims of this process that nobody gave up yet: a release that failed leaves its record behind. */
const held = new Set<string>();

export interface ClaimOptions {
  readonly probe: ProcessProbe;
  readonly clock: Clock;
  readonly tickMs: number;
  /** 16 random bytes, hex. */
  readonly claim: string;
  readonly signal: AbortSignal;
  /** What people call it. */
  readonly source?: string;
}

/** Errors: `busy`, naming the holder; the reason of the signal: who was told to stop while a store was slow takes no claim. */
export async function claimWriter(lineage: Lineage, options: ClaimOptions): Promise<WriterClaim> {
  await lineage.refresh();
  const holder = lineage.state.get<WriterRecord>(key);
  if (holder && !(await isGone(lineage, holder, options))) throw busy(lineage, holder, options);
  const { probe, clock, tickMs, claim } = options;
  const record: WriterRecord = { ...probe.self, claim, tickMs, sinceMs: clock.now() };
  const isMine = (state: { get<T>(key: string): T | undefined }): boolean =>
    state.get<WriterRecord>(key)?.claim === claim;
  held.add(claim);
  try {
    await lineage.commit((draft): undefined => {
      options.signal.throwIfAborted();
      const now = draft.get<WriterRecord>(key);
      if (now && now.claim !== holder?.claim) throw busy(lineage, now, options);
      draft.set(key, record);
    });
  } catch (error) {
    held.delete(claim);
    throw error;
  }
  return {
    check(state) {
      if (isMine(state)) return;
      const other = state.get<WriterRecord>(key);
      throw new CodrError(
        'lease-lost',
        `${other ? nameOf(other) : 'another process'} has taken over`,
      );
    },
    async release() {
      held.delete(claim);
      await lineage.commit((draft) => {
        if (!isMine(draft)) return false;
        draft.set(key, null);
      });
    },
  };
}

/** The present holder; undefined when nobody writes. */
export function currentWriter(state: {
  get<T>(key: string): T | undefined;
}): ProcessIdentity | undefined {
  return state.get<WriterRecord>(key);
}

async function isGone(
  lineage: Lineage,
  holder: WriterRecord,
  { probe, clock, signal }: ClaimOptions,
): Promise<boolean> {
  if (isSame(holder, probe.self) && !held.has(holder.claim)) return true;
  const known = await probe.isAlive(holder);
  if (known !== 'unknown') return known === 'dead';
  await clock.sleep(holder.tickMs * silentTicks, signal);
  return !(await lineage.refresh());
}

function isSame(a: ProcessIdentity, b: ProcessIdentity): boolean {
  const fields = ['host', 'machineId', 'bootId', 'pidSpace', 'pid', 'startTicks', 'peer'] as const;
  return fields.every((field) => a[field] === b[field]);
}

function busy(lineage: Lineage, holder: WriterRecord, { source }: ClaimOptions): CodrError {
  return new CodrError('busy', `${nameOf(holder)} is writing to ${source ?? 'this source'}`, {
    object: source ?? lineage.name,
    facts: { host: holder.host, pid: holder.pid, sinceMs: holder.sinceMs },
  });
}

/** For messages: of a peer its name too, by which people know it. */
export function nameOf({ host, pid, peer }: ProcessIdentity): string {
  const process = `process ${pid} on ${host}`;
  return peer === undefined ? process : `peer ${peer.replace(/ \d+$/, '')} (${process})`;
}
