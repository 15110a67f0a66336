// Progress as a single rewritten line on a terminal, as plain lines every few seconds elsewhere, and as
// JSON lines with --json. Works off the reports alone: no timer of its own.
import type { Progress } from '../api/codr-api.ts';
import type { TextSink } from './output.ts';
import { formatBytes, formatCount, formatSeconds } from './units.ts';

export type ProgressForm = 'line' | 'lines' | 'json';

/** Least time between two shown reports of one phase, by form. */
const gapMs: Record<ProgressForm, number> = { line: 100, lines: 5000, json: 1000 };

export class ProgressLine {
  readonly #sink: TextSink;
  readonly #form: ProgressForm;
  readonly #monotonic: () => number;
  #phase: string | undefined;
  #shownAt = Number.NEGATIVE_INFINITY;
  #shown = false;
  #held: Progress | undefined;

  constructor(sink: TextSink, form: ProgressForm, monotonic: () => number) {
    this.#sink = sink;
    this.#form = form;
    this.#monotonic = monotonic;
  }

  report(progress: Progress): void {
    const newPhase = progress.phase !== this.#phase;
    if (newPhase) this.#flushHeld();
    const now = this.#monotonic();
    this.#held = progress;
    if (!newPhase && now - this.#shownAt < gapMs[this.#form]) return;
    this.#phase = progress.phase;
    this.#shownAt = now;
    this.#show(progress);
  }

  /** Makes room for other lines: removes the rewritten line, or shows the last report. */
  end(): void {
    if (this.#form !== 'line') this.#flushHeld();
    else if (this.#shown) this.#sink.write('\r\u001b[K');
    this.#shown = false;
  }

  #flushHeld(): void {
    if (this.#held && this.#form !== 'line') this.#show(this.#held);
    this.#held = undefined;
  }

  #show(progress: Progress): void {
    this.#held = undefined;
    this.#shown = true;
    if (this.#form === 'json') this.#sink.write(`${JSON.stringify({ progress })}\n`);
    else if (this.#form === 'lines') this.#sink.write(`${progressText(progress)}\n`);
    else {
      const text = progressText(progress).slice(0, Math.max(20, this.#sink.columns - 1));
      this.#sink.write(`\r${text}\u001b[K`);
    }
  }
}

/** `base copy  1,200 of 5,000 records  24%  3.10 MiB  1.55 MiB/s  2.0 s, 6 s left  shop.orders`. */
export function progressText(progress: Progress): string {
  const {
    phase,
    records,
    bytes,
    recordsTotal = 0,
    bytesTotal,
    seconds,
    etaSeconds,
    note,
  } = progress;
  // An estimate that was passed says nothing any more.
  const of = recordsTotal >= records && recordsTotal > 0 ? ` of ${formatCount(recordsTotal)}` : '';
  const share = bytesTotal !== undefined ? part(bytes, bytesTotal) : part(records, recordsTotal);
  const left = etaSeconds === undefined ? '' : `, ${formatSeconds(etaSeconds)} left`;
  return [
    phase,
    `${formatCount(records)}${of} records`,
    share,
    formatBytes(bytes),
    seconds > 0 ? `${formatBytes(bytes / seconds)}/s` : '',
    `${formatSeconds(seconds)}${left}`,
    note ?? '',
  ]
    .filter((text) => text !== '')
    .join('  ');
}

/** Totals are estimates: never shown above 99 %. */
const part = (done: number, total: number): string =>
  total > 0 ? `${Math.min(99, Math.floor((100 * done) / total))}%` : '';
