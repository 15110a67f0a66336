// Restorable intervals and holes as one line of characters and as sentences.
import type { Hole, Moment, Points, Span } from '../api/codr-api.ts';
import type { Output } from './output.ts';
import { formatCount, formatSeconds } from './units.ts';

/** `hole in rs0 from … to …: the log rolled over`. */
export function holeText({ stream, dataset, from, to, reason }: Hole): string {
  const where = dataset === undefined ? stream : `${dataset} (${stream})`;
  const end = to === undefined ? 'on, still open' : `to ${to.wall}`;
  return `hole in ${where} from ${from.wall} ${end}: ${reason}`;
}

/** `2026-11-22T12:00:00Z to 2026-11-22T13:05:00Z  1 h 5 min`. */
export function spanText({ from, to }: Span): string {
  return `${from.wall} to ${to.wall}  ${formatSeconds((wallMs(to) - wallMs(from)) / 1000)}`;
}

/** Of single moments: `2026-11-22T12:00:00Z to 2026-11-22T13:00:00Z, 5 cuts`; undefined when there is none. */
export function cutsText(intervals: readonly Span[]): string | undefined {
  const [first, last] = [intervals[0], intervals.at(-1)];
  if (!first || !last) return undefined;
  if (intervals.length === 1) return `${first.from.wall}, 1 cut`;
  return `${first.from.wall} to ${last.to.wall}, ${formatCount(intervals.length)} cuts`;
}

/** True of a moment that one of the intervals begins with. */
export function isIn(intervals: readonly Span[], { time, wall }: Moment): boolean {
  return intervals.some(({ from }) => from.time === time && from.wall === wall);
}

/** True of a moment that is surely in none of the intervals: the clock tells no parts of a second. */
export function isOutside(intervals: readonly Span[], moment: Moment): boolean {
  const at = wallMs(moment);
  return !intervals.some(({ from, to }) => wallMs(from) <= at && at <= wallMs(to));
}

/**
 * From the first restorable moment to the last: `━` restorable, `·` not, `●` a named point. Every
 * interval gets at least one cell. Empty when nothing is restorable.
 */
export function timeline(
  { intervals, points }: Pick<Points, 'intervals' | 'points'>,
  output: Output,
): string {
  const [first, last] = [intervals[0], intervals.at(-1)];
  if (!first || !last) return '';
  const cells = Math.max(20, Math.min(output.columns, 100) - 2);
  const [start, end] = [wallMs(first.from), wallMs(last.to)];
  // A single moment is the whole line.
  if (start === end) return output.paint('green', '●'.padStart(cells, '━'));
  const cellOf = (moment: Moment): number =>
    Math.min(
      cells - 1,
      Math.max(0, Math.floor(((wallMs(moment) - start) / (end - start)) * cells)),
    );
  const marks: string[] = new Array<string>(cells).fill('·');
  for (const { from, to } of intervals) marks.fill('━', cellOf(from), cellOf(to) + 1);
  for (const point of points) marks[cellOf(point)] = '●';
  return marks.map((mark) => output.paint(mark === '·' ? 'red' : 'green', mark)).join('');
}

const wallMs = ({ wall }: Moment): number => Date.parse(wall);
