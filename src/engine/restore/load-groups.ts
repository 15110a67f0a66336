// Which datasets of a restore are loaded by one task.
import type { RestoreItem } from './range-work.ts';

/** A dataset of a few records costs waiting, not work: such ones share a task, and wait side by side. */
const smallBytesMax = 64 * 1024;
export const smallAtOnce = 8;
const smallPerTask = 64;

/** What one task loads: a dataset, or several small ones. One born in the log may be of any size. */
export function groupsOf(items: readonly RestoreItem[]): RestoreItem[][] {
  const isSmall = ({ dataset: { base } }: RestoreItem): boolean =>
    base.tree !== undefined && base.tree.bytes <= smallBytesMax;
  const groups = items.filter((item) => !isSmall(item)).map((item) => [item]);
  const small = items.filter(isSmall);
  for (let at = 0; at < small.length; at += smallPerTask) {
    groups.push(small.slice(at, at + smallPerTask));
  }
  return groups;
}
