// In which form records are given back, of kinds that keep what is deleted and expired: what a reader would see,
// or with it all deletions that are still known.
import { CodrError } from '../../base/error.ts';
import type { Connector, LiveForm } from '../../connector/connector.ts';
import type { TtlMode } from '../../connector/restore-target.ts';
import type { SourceTime } from '../../model/time.ts';
import type { SourceContext } from '../source-context.ts';
import type { RestoreWish } from './restore-point.ts';

/** Errors: `usage`, where deletions cannot be given back. Known before anything is opened. */
export function refuseDeletions(
  { kind, capabilities }: Pick<Connector, 'kind' | 'capabilities'>,
  { keepsDeletions, parts }: Pick<RestoreWish, 'keepsDeletions' | 'parts'>,
): void {
  if (!keepsDeletions) return;
  if (!capabilities.keepsDeletions) {
    throw new CodrError('usage', `--tombstones keep means nothing for ${kind}`, {
      object: '--tombstones',
      remedy: 'leave it out: no deletions are stored beside the records',
    });
  }
  if ((parts?.queries.length ?? 0) === 0) return;
  // A deletion of a range may begin before what the query means and end behind it.
  throw new CodrError('usage', '--tombstones keep does not go with --query', {
    object: '--tombstones',
    remedy: 'use --token-range or whole datasets, or give back what lives alone',
  });
}

/** For kinds that keep what is deleted and expired: what a reader would see now, expiry moved to when it began. */
export function liveForm(
  { connector, world }: SourceContext,
  { ttl, keepsDeletions }: { readonly ttl: TtlMode; readonly keepsDeletions?: true },
  { at, begunMs }: { readonly at: SourceTime; readonly begunMs: number },
): { live?: LiveForm } {
  if (connector.capabilities.orderedLog) return {};
  const [nowMs, cutMs] = [world.clock.now(), connector.wallMs(at)];
  const mode = ttl === 'rebase' || ttl === 'freeze' ? ttl : 'keep';
  const deletions = keepsDeletions && { deletions: {} };
  return { live: { nowMs, ttl: mode, rebaseMs: begunMs - cutMs, cutMs, ...deletions } };
}
