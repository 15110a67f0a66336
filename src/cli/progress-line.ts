// Progress as a single rewritten line on a terminal, as plain lines every few seconds elsewhere, and as
// JSON lines with --json. Works off the reports alone: no timer of its own.
import type { Progress } from '../api/codr-api.ts';
import type { TextSink } from './output.ts';
import { formatBytes, formatCount, formatSeconds } from './units.ts';

export type ProgressForm = 'line' | 'lines' | 'json';

/** Least time between two shown reports of one phase, by form. */
const gapMs: Record<ProgressForm, number> = { line: 100, lines: 5000, json: 1000 };

/** What a terminal that does not tell its width is taken for. */
const columnsUnknown = 80;

export class ProgressLine {
  readonly #sink: TextSink;
  readonly #form: ProgressForm;
  readonly #monotonic: () => number;
  #phase: string | undefined;
  #shownAt = Number.NEGATIVE_INFINITY;
  /** The newest report, and the text that stands on the screen. */
  #last: Progress | undefined;
  #shown = '';
  readonly #told = new Set<string>();

  constructor(sink: TextSink, form: ProgressForm, monotonic: () => number) {
    this.#sink = sink;
    this.#form = form;
    this.#monotonic = monotonic;
  }

  report(progress: Progress): void {
    this.#tell(progress.told?.split('\n') ?? []);
    const isNew = progress.phase !== this.#phase;
    if (isNew) this.#close(true);
    const now = this.#monotonic();
    this.#last = progress;
    if (!isNew && now - this.#shownAt < gapMs[this.#form]) return;
    this.#phase = progress.phase;
    this.#shownAt = now;
    // Of a phase that counts, the first thing to know is a count.
    if (this.#form === 'lines' && isIdle(progress) && hasTotal(progress)) return;
    this.#show(progress, progressText(progress));
  }

  /** Lines that were not said yet, above the one that is rewritten; in JSON they come with their report. */
  #tell(told: readonly string[]): void {
    const news = told.filter((line) => !this.#told.has(line));
    if (news.length === 0) return;
    for (const line of news) this.#told.add(line);
    this.#shownAt = Number.NEGATIVE_INFINITY;
    if (this.#form === 'json') return;
    const erased = this.#form === 'line' && this.#shown !== '' ? '\r\u001b[K' : '';
    this.#sink.write(`${erased}${news.join('\n')}\n`);
  }

  /** Makes room for other lines: removes the rewritten line, or shows how far the phase came. */
  end({ done }: { readonly done: boolean }): void {
    if (this.#form !== 'line') this.#close(done);
    else if (this.#shown !== '') this.#sink.write('\r\u001b[K');
    this.#shown = '';
    this.#last = undefined;
  }

  /** The last report of a phase, as its end when it came to one. */
  #close(done: boolean): void {
    const last = this.#last;
    if (!last || this.#form === 'line') return;
    const isNews = !isIdle(last) || last.seconds * 1000 >= gapMs[this.#form];
    if (this.#form === 'json' || isNews) this.#show(last, progressText(last, { done }));
  }

  #show(progress: Progress, text: string): void {
    const line = this.#form === 'json' ? JSON.stringify({ progress }) : text;
    if (this.#form === 'line') {
      const columns = this.#sink.columns > 0 ? this.#sink.columns : columnsUnknown;
      this.#sink.write(`\r${line.slice(0, Math.max(20, columns - 1))}\u001b[K`);
    } else if (line !== this.#shown) this.#sink.write(`${line}\n`);
    this.#shown = line;
  }
}

const earlySeconds = 60;
const isIdle = ({ records, bytes, note }: Progress): boolean =>
  records === 0 && bytes === 0 && note === undefined;
const hasTotal = ({ recordsTotal = 0, bytesTotal = 0 }: Progress): boolean =>
  recordsTotal > 0 || bytesTotal > 0;

/**
 * `base copy  1,200 of 5,000 records  24%  3.10 MiB  1.55 MiB/s  2.0 s, 6 s left  shop.orders`; the phase and
 * its time when there is nothing to count. `done`: nothing of the phase is left, whatever was estimated.
 */
export function progressText(progress: Progress, { done = false } = {}): string {
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
  if (isIdle(progress)) return seconds >= 0.1 ? `${phase}  ${formatSeconds(seconds)}` : phase;
  // An estimate that was passed says nothing any more.
  const isBelow = !done && recordsTotal >= records && recordsTotal > 0;
  const share = bytesTotal !== undefined ? part(bytes, bytesTotal) : part(records, recordsTotal);
  // The first piece of many says nothing about the time that all of them take.
  const isEarly = share === '0%' && seconds < earlySeconds;
  const isKnown = !done && !isEarly && etaSeconds !== undefined;
  const left = isKnown ? `, ${formatSeconds(etaSeconds)} left` : '';
  return [
    phase,
    `${formatCount(records)}${isBelow ? ` of ${formatCount(recordsTotal)}` : ''} records`,
    done && share !== '' ? '100%' : share,
    formatBytes(bytes),
    seconds > 0 ? `${formatBytes(bytes / seconds)}/s` : '',
    `${formatSeconds(seconds)}${left}`,
    note ?? '',
  ]
    .filter((text) => text !== '')
    .join('  ');
}

/** Totals are estimates: never shown above 99 % before the end. */
const part = (done: number, total: number): string =>
  total > 0 ? `${Math.min(99, Math.floor((100 * done) / total))}%` : '';
