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
  rows: readonly (readonly string[])[],
): void {
  if (rows.length === 0) return;
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...rows.map((row) => visibleLength(row[i] ?? ''))),
  );
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
