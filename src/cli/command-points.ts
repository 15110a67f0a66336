// `codr points`: what can be restored, as a timeline and as a table.
import { z } from 'zod';
import type { Point, Points } from '../api/codr-api.ts';
import { defineCommand } from './command.ts';
import { sourceArgument } from './inputs.ts';
import { type Output, printPairs, printTable } from './output.ts';
import { cutsText, holeText, isIn, isOutside, spanText, timeline } from './timeline.ts';
import { formatCount, formatCounts, formatSeconds } from './units.ts';

/** Newest points shown to people; --json has all. */
const pointsShownMax = 20;

export const pointsCommand = defineCommand({
  path: 'points',
  summary: 'show what can be restored: intervals or cuts, holes, points',
  about:
    'Records and bytes of a point are those of the base copies that serve it; `~` (JSON: `estimated`) says that ' +
    'changes came after them, `in a hole` that something of it is lost. Of a source that is captured by cuts ' +
    '(Cassandra) the cuts alone can be restored: `--at cut:7`; each with how sure it is.',
  examples: ['codr points shop', 'codr points shop --json'],
  json:
    '{source, intervals:[{from:{time,wall},to:{time,wall}}], holes:[{stream,dataset?,from,to?,reason}], ' +
    'points:[{id,time,wall,datasets,records,bytes,estimated?,grade?}], lagSeconds?}',
  input: z.object({ source: sourceArgument() }),
  run: async (input, { api, call }) => (await api()).points(input, call),
  print(result, output) {
    const { source, intervals, holes, points, lagSeconds } = result;
    const hasCuts = points.some(({ grade }) => grade !== undefined);
    if (intervals.length === 0) {
      const isNew = holes.length + points.length === 0;
      const what = isNew
        ? `nothing of ${source} can be restored yet`
        : `no moment of ${source} can be restored as a whole, since some of it is lost`;
      output.line(`${what}: run codr backup ${source}`);
    } else if (!hasCuts) {
      output.line(timeline(result, output));
    }
    printPairs(output, [
      ...(hasCuts ? [cutsText(intervals)] : intervals.map(spanText)).map(
        (text) => ['restorable', text] as const,
      ),
      ['newest', lagSeconds === undefined ? undefined : `${formatSeconds(lagSeconds)} ago`],
    ]);
    for (const hole of holes) output.line(output.paint('yellow', holeText(hole)));
    const shown = points.slice(-pointsShownMax);
    if (shown.length < points.length) {
      const what = hasCuts ? 'cuts' : 'points';
      output.line(`the newest ${shown.length} of ${formatCount(points.length)} ${what}:`);
    }
    if (hasCuts) printCuts(shown, result, output);
    else printPoints(shown, result, output);
  },
});

function printPoints(points: readonly Point[], { intervals }: Points, output: Output): void {
  const isLost = (point: Point): boolean => isOutside(intervals, point);
  printTable(
    output,
    [
      { title: 'POINT' },
      { title: 'WALL CLOCK' },
      { title: 'SOURCE TIME' },
      { title: 'DATASETS', right: true },
      { title: 'BASE RECORDS', right: true },
      { title: 'BASE BYTES', right: true },
      ...(points.some(isLost) ? [{ title: '' }] : []),
    ],
    points.map((point) => [
      point.id,
      point.wall,
      point.time,
      formatCount(point.datasets),
      ...formatCounts(point),
      ...(isLost(point) ? [output.paint('red', 'in a hole')] : []),
    ]),
  );
}

function printCuts(points: readonly Point[], { intervals }: Points, output: Output): void {
  printTable(
    output,
    [
      { title: 'CUT' },
      { title: 'WALL CLOCK' },
      { title: 'GRADE' },
      { title: 'DATASETS', right: true },
      { title: 'RECORDS', right: true },
      { title: 'BYTES', right: true },
    ],
    points.map((point) => [
      point.id,
      point.wall,
      gradeText(point, isIn(intervals, point), output),
      formatCount(point.datasets),
      ...formatCounts(point),
    ]),
  );
}

function gradeText(
  { grade = 'best-effort' }: Point,
  isRestorable: boolean,
  output: Output,
): string {
  if (!isRestorable) return output.paint('red', 'in a hole');
  return output.paint(grade === 'best-effort' ? 'yellow' : 'green', grade);
}
