// `codr collect`: frees what nothing needs any more.
import { z } from 'zod';
import { defineCommand } from './command.ts';
import { consent } from './inputs.ts';
import { formatBytes, formatCount, formatSeconds } from './units.ts';

export const collectCommand = defineCommand({
  path: 'collect',
  summary: 'free the space of what no point needs any more',
  about: 'Safe beside running backups and restores. May be interrupted and run again at any time.',
  examples: ['codr collect --dry-run', 'codr collect'],
  json: '{dryRun, packsExamined, packsRemoved, bytesFreed, heldBy?:[…], seconds}',
  input: z.object({ dryRun: consent('say what would be freed, remove nothing') }),
  run: async (input, { api, call }) => (await api()).collect(input, call),
  print({ dryRun, packsExamined, packsRemoved, bytesFreed, heldBy = [], seconds }, output) {
    const did = dryRun ? 'would remove' : 'removed';
    output.line(
      `${did} ${formatCount(packsRemoved)} of ${formatCount(packsExamined)} packs, ` +
        `${formatBytes(bytesFreed)}, in ${formatSeconds(seconds)}`,
    );
    for (const reader of heldBy) output.line(`kept for a reader: ${reader}; collect again later`);
  },
});
