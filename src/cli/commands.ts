// All commands, in the order in which help lists them.
import type { Command } from './command.ts';
import { backupCommand } from './command-backup.ts';
import { checkCommand } from './command-check.ts';
import { checkpointCommand } from './command-checkpoint.ts';
import { collectCommand } from './command-collect.ts';
import { completionCommand } from './command-completion.ts';
import { demoCommand } from './command-demo.ts';
import { getCommand } from './command-get.ts';
import { initCommand } from './command-init.ts';
import { keyAddCommand, keyListCommand, keyRemoveCommand } from './command-key.ts';
import { lsCommand } from './command-ls.ts';
import { nodeCommand } from './command-node.ts';
import { cancelCommand, opsCommand } from './command-ops.ts';
import { pointsCommand } from './command-points.ts';
import { restoreCommand } from './command-restore.ts';
import {
  sourceAddCommand,
  sourceCheckCommand,
  sourceLimitCommand,
  sourceListCommand,
  sourceRebaseCommand,
  sourceRemoveCommand,
  sourceShowCommand,
} from './command-source.ts';
import { statusCommand } from './command-status.ts';
import { verifyCommand } from './command-verify.ts';

export const commands: readonly Command[] = [
  initCommand,
  sourceAddCommand,
  sourceCheckCommand,
  sourceListCommand,
  sourceShowCommand,
  sourceLimitCommand,
  sourceRebaseCommand,
  sourceRemoveCommand,
  backupCommand,
  pointsCommand,
  restoreCommand,
  verifyCommand,
  lsCommand,
  getCommand,
  nodeCommand,
  statusCommand,
  opsCommand,
  cancelCommand,
  checkpointCommand,
  collectCommand,
  checkCommand,
  keyAddCommand,
  keyListCommand,
  keyRemoveCommand,
  demoCommand,
  completionCommand(() => commands),
];

/** What the words are about that stand before other words: `codr source …`. */
export const groups: Readonly<Record<string, string>> = {
  source: 'the clusters under protection',
  key: 'the ways to open the repository',
};
