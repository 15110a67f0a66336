// `codr points`: what can be restored, as a timeline and as a table.
import { z } from 'zod';
import { defineCommand } from './command.ts';
import { sourceArgument } from './inputs.ts';
import { printPairs, printTable } from './output.ts';
import { holeText, spanText, timeline } from './timeline.ts';
import { formatCount, formatCounts, formatSeconds } from './units.ts';

/** Newest points shown to people; --json has all. */
const pointsShownMax = 20;

export const pointsCommand = defineCommand({
  path: 'points',
  summary: 'show what can be restored: intervals, holes, points',
  about:
    'Records and bytes of a point are those of the base copies that serve it; `~` (JSON: `estimated`) says that ' +
    'changes came after them.',
  examples: ['codr points shop', 'codr points shop --json'],
  json:
    '{source, intervals:[{from:{time,wall},to:{time,wall}}], holes:[{stream,dataset?,from,to?,reason}], ' +
    'points:[{id,time,wall,datasets,records,bytes,estimated?}], lagSeconds?}',
  input: z.object({ source: sourceArgument() }),
  run: async (input, { api, call }) => (await api()).points(input, call),
  print(result, output) {
    const { source, intervals, holes, points, lagSeconds } = result;
    if (intervals.length === 0) {
      output.line(`nothing of ${source} can be restored yet: run codr backup ${source}`);
    } else {
      output.line(timeline(result, output));
    }
    printPairs(output, [
      ...intervals.map((span) => ['restorable', spanText(span)] as const),
      ['newest', lagSeconds === undefined ? undefined : `${formatSeconds(lagSeconds)} ago`],
    ]);
    for (const hole of holes) output.line(output.paint('yellow', holeText(hole)));
    const shown = points.slice(-pointsShownMax);
    if (shown.length < points.length) {
      output.line(`the newest ${shown.length} of ${formatCount(points.length)} points:`);
    }
    printTable(
      output,
      [
        { title: 'POINT' },
        { title: 'WALL CLOCK' },
        { title: 'SOURCE TIME' },
        { title: 'DATASETS', right: true },
        { title: 'BASE RECORDS', right: true },
        { title: 'BASE BYTES', right: true },
      ],
      shown.map((point) => [
        point.id,
        point.wall,
        point.time,
        formatCount(point.datasets),
        ...formatCounts(point),
      ]),
    );
  },
});
