// What cannot be given back as it was, said before anything is made: to whoever watches the restore, and to the log.
import type { TargetPlan } from '../../connector/restore-target.ts';
import type { ProgressMeter } from '../progress.ts';
import type { SourceContext } from '../source-context.ts';

/** Lines for people; the plan of `--dry-run` and the result have all. */
const linesMax = 50;

export function tellPlan(
  { name, world }: Pick<SourceContext, 'name' | 'world'>,
  meter: ProgressMeter,
  { warnings, skipped }: Pick<TargetPlan, 'warnings' | 'skipped'>,
): void {
  const lines = [
    ...skipped.map(({ namespace, reason }) => `skipped ${namespace}: ${reason}`),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
  for (const line of lines) world.log.info({ source: name }, line);
  const more = lines.length - linesMax;
  meter.tell(more > 0 ? [...lines.slice(0, linesMax), `and ${more} more`] : lines);
}
