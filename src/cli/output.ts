// Where a command writes for people: lines, colours when they are wanted, columns that line up.
import { stripVTControlCharacters, styleText } from 'node:util';

/** A stream of text, and what is known of the screen behind it. */
export interface TextSink {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width in characters; 80 when unknown. */
  readonly columns: number;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export interface Output {
  line(text?: string): void;
  /** The text in that style, or as it is without colours. */
  paint(style: Style, text: string): string;
  readonly columns: number;
  /** A person looks at it: long cells of tables are shortened to its width. */
  readonly isTerminal: boolean;
}

/** Colours only on a terminal, and never when NO_COLOR is set and not empty (no-color.org). */
export function openOutput(
  sink: TextSink,
  env: Readonly<Record<string, string | undefined>>,
): Output {
  const coloured = sink.isTerminal && !env.NO_COLOR && env.TERM !== 'dumb';
  return {
    line: (text = '') => sink.write(`${text}\n`),
    paint: (style, text) => (coloured ? styleText(style, text, { validateStream: false }) : text),
    columns: sink.columns,
    isTerminal: sink.isTerminal,
  };
}

export interface Column {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly right?: boolean;
}

/** Writes a table; nothing at all when there are no rows. */
export function printTable(
  output: Output,
  columns: readonly Column[],
  given: readonly (readonly string[])[],
): void {
  if (given.length === 0) return;
  const rows = output.isTerminal ? fitted(columns, given, output.columns) : given;
  const widths = widthsOf(columns, rows);
  const format = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const pad = ' '.repeat(Math.max(0, (widths[i] ?? 0) - visibleLength(cell)));
        return columns[i]?.right ? pad + cell : cell + pad;
      })
      .join('  ')
      .trimEnd();
  output.line(output.paint('dim', format(columns.map((column) => column.title))));
  for (const row of rows) output.line(format(row));
}

/** Least width to which a cell is shortened. */
const cellColumnsMin = 16;

/**
 * The rows with long cells shortened in their middle, so that they fit the screen or come near it. Numbers stay
 * whole, and so does what stands last: it is read to its end, and does not move other columns.
 */
function fitted(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  screen: number,
): (readonly string[])[] {
  const isLong = (i: number): boolean => !columns[i]?.right && i < columns.length - 1;
  const widths = widthsOf(columns, rows);
  const room = screen - 2 * (columns.length - 1);
  const widthAt = (most: number): number =>
    widths.reduce((sum, width, i) => sum + (isLong(i) ? Math.min(width, most) : width), 0);
  let most = Math.max(...widths);
  while (most > cellColumnsMin && widthAt(most) > room) most--;
  return rows.map((row) => row.map((cell, i) => (isLong(i) ? shortened(cell, most) : cell)));
}

function shortened(cell: string, most: number): string {
  // What is painted is a word of ours, and short.
  if (cell.length <= most || cell !== stripVTControlCharacters(cell)) return cell;
  const head = Math.ceil((most - 1) / 2);
  return `${cell.slice(0, head)}…${cell.slice(cell.length - (most - 1 - head))}`;
}

function widthsOf(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  return columns.map((column, i) =>
    Math.max(column.title.length, ...rows.map((row) => visibleLength(row[i] ?? ''))),
  );
}

/** Writes `name  value` pairs; pairs without a value are left out. */
export function printPairs(
  output: Output,
  pairs: readonly (readonly [string, string | undefined])[],
): void {
  const shown = pairs.filter((pair): pair is [string, string] => pair[1] !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  for (const [name, value] of shown) {
    output.line(`${output.paint('dim', name.padEnd(width))}  ${value}`);
  }
}

const visibleLength = (text: string): number => stripVTControlCharacters(text).length;
