// What a restore says of a cut that not all replicas were captured for: it may lack writes that the source has, and
// who gives it back must not learn that from the data.
import type { SourceTime } from '../../model/time.ts';
import { cutAt } from '../history/cut-history.ts';
import { describeTime } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';

/** One warning at most. */
export function incompleteWarnings(
  { lineage, connector }: Pick<SourceContext, 'lineage' | 'connector'>,
  at: SourceTime,
): string[] {
  const cut = cutAt(lineage.state, at);
  if (!cut || cut.grade === 'complete') return [];
  const promise =
    cut.grade === 'quorum-safe'
      ? 'what was acknowledged by fewer replicas than a quorum may be missing'
      : 'acknowledged writes may be missing';
  const why = cut.notes.length > 0 ? `: ${cut.notes.join('; ')}` : '';
  return [`the cut of ${describeTime(connector, at)} is ${cut.grade}, ${promise}${why}`];
}
