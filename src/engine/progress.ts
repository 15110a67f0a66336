// Counts what long work has done and tells those who watch, a few times a second at most.
import type { Clock } from '../base/clock.ts';

/** What there is to say about long work at one moment. */
export interface ProgressReport {
  readonly phase: string;
  readonly records: number;
  readonly bytes: number;
  readonly recordsTotal?: number;
  readonly bytesTotal?: number;
  /** Since the phase began. */
  readonly seconds: number;
  readonly etaSeconds?: number;
  readonly note?: string;
  /** Lines that are said once, before the work goes on: in the report that says them, and in the first of each phase. */
  readonly told?: string;
}

export type ProgressListener = (report: ProgressReport) => void;

const reportEveryMs = 250;

export class ProgressMeter {
  /** Raw bytes that were there already. */
  bytesDeduplicated = 0;
  /** Records and bytes of all phases. */
  recordsAll = 0;
  bytesAll = 0;
  readonly #clock: Clock;
  readonly #listener: ProgressListener;
  readonly #startMs: number;
  #phase = '';
  #phaseStartMs: number;
  #records = 0;
  #bytes = 0;
  #totals: { recordsTotal?: number; bytesTotal?: number } = {};
  #told: readonly string[] = [];
  #reportedMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, listener: ProgressListener = () => {}) {
    this.#clock = clock;
    this.#listener = listener;
    this.#startMs = clock.monotonic();
    this.#phaseStartMs = this.#startMs;
  }

  get seconds(): number {
    return (this.#clock.monotonic() - this.#startMs) / 1000;
  }

  /** Begins the next part of the work; counts start anew. */
  phase(name: string, totals: { recordsTotal?: number; bytesTotal?: number } = {}): void {
    if (this.#phase !== '') this.report();
    this.#phase = name;
    this.#totals = totals;
    this.#records = 0;
    this.#bytes = 0;
    this.#phaseStartMs = this.#clock.monotonic();
    this.#report(undefined, this.#told);
  }

  /** Lines that are to be read whatever comes of the work. */
  tell(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#told = [...this.#told, ...lines];
    this.#report(undefined, this.#told);
  }

  /** `note`: what is to be said beside the counts, when they are told next. */
  add(records: number, bytes: number, note?: string): void {
    this.#records += records;
    this.#bytes += bytes;
    this.recordsAll += records;
    this.bytesAll += bytes;
    if (this.#clock.monotonic() - this.#reportedMs >= reportEveryMs) this.report(note);
  }

  deduplicated(bytes: number): void {
    this.bytesDeduplicated += bytes;
  }

  report(note?: string): void {
    this.#report(note, []);
  }

  #report(note: string | undefined, told: readonly string[]): void {
    const now = this.#clock.monotonic();
    this.#reportedMs = now;
    const { bytesTotal } = this.#totals;
    const sinceSeconds = (now - this.#phaseStartMs) / 1000;
    const left = bytesTotal === undefined ? 0 : bytesTotal - this.#bytes;
    const eta = left > 0 && this.#bytes > 0 ? (left * sinceSeconds) / this.#bytes : undefined;
    this.#listener({
      phase: this.#phase,
      records: this.#records,
      bytes: this.#bytes,
      ...this.#totals,
      seconds: sinceSeconds,
      ...(eta !== undefined && { etaSeconds: eta }),
      ...(note !== undefined && { note }),
      ...(told.length > 0 && { told: told.join('\n') }),
    });
  }
}
