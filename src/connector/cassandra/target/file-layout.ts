// How a table's compaction strategy wants its files to be cut, so that the server has nothing to compact after an
// import: by windows of time, by levels of files that do not overlap, or large ones.
import { CodrError } from '../../../base/error.ts';

const mib = 1024 * 1024;
/** At least this many bytes of Data.db where there is enough data. */
const plainBytes = 256 * mib;
/** A second file of a window is compacted with the first: one is begun only before a file gets unwieldy. */
const windowFileBytes = 16 * 1024 * mib;
/** `sstable_size_in_mb` and `fanout_size` of LeveledCompactionStrategy where nobody said otherwise. */
const levelFileMib = 160;
const levelFanout = 10;
const levelMax = 8;

export interface FileLayout {
  readonly kind: 'plain' | 'windows' | 'levels';
  /** Bytes of Data.db after which the next partition begins a new file. */
  readonly fileBytes: number;
  /** Of `windows`: how many units of a timestamp a window has. */
  readonly windowUnits?: number;
  /** Of `levels`: how many times as much a level holds as the one below it. */
  readonly fanout?: number;
}

const unitSeconds = { MINUTES: 60, HOURS: 3600, DAYS: 86_400 } as const;
const unitsPerSecond = {
  SECONDS: 1,
  MILLISECONDS: 1e3,
  MICROSECONDS: 1e6,
  NANOSECONDS: 1e9,
} as const;

/** `compaction`: class without its package, and options, as the table in the target has them. */
export function layoutOf(compaction: Readonly<Record<string, string>>): FileLayout {
  if (compaction.class === 'TimeWindowCompactionStrategy') {
    const size = Number(compaction.compaction_window_size ?? 1);
    const unit = compaction.compaction_window_unit ?? 'DAYS';
    const resolution = compaction.timestamp_resolution ?? 'MICROSECONDS';
    const seconds = unitSeconds[unit.toUpperCase() as keyof typeof unitSeconds];
    const units = unitsPerSecond[resolution.toUpperCase() as keyof typeof unitsPerSecond];
    const windowUnits = size * seconds * units;
    if (!(windowUnits > 0)) {
      const message = `windows of ${size} ${unit} in ${resolution} are not known`;
      throw new CodrError('target-unfit', message, { object: 'compaction' });
    }
    return { kind: 'windows', fileBytes: windowFileBytes, windowUnits };
  }
  if (compaction.class === 'LeveledCompactionStrategy') {
    const fileBytes = Number(compaction.sstable_size_in_mb ?? levelFileMib) * mib;
    return { kind: 'levels', fileBytes, fanout: Number(compaction.fanout_size ?? levelFanout) };
  }
  return { kind: 'plain', fileBytes: plainBytes };
}

/** The lowest level that holds so many bytes. */
export function levelFor(bytes: number, { fileBytes, fanout = levelFanout }: FileLayout): number {
  let level = 1;
  while (level < levelMax && fileBytes * fanout ** level < bytes) level++;
  return level;
}

/**
 * The number of the window that TimeWindowCompactionStrategy counts a timestamp to, given in a signed and an
 * unsigned half. Its divisions cut towards zero, so the windows on both sides of it are one.
 */
export function windowOf(hi: number, lo: number, windowUnits: number): number {
  const timestamp = hi * 2 ** 32 + lo;
  if (Number.isSafeInteger(timestamp)) return (timestamp - (timestamp % windowUnits)) / windowUnits;
  const exact = (BigInt(hi) << 32n) | BigInt(lo);
  return Number(exact / BigInt(windowUnits));
}
