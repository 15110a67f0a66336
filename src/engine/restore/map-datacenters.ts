// Which data centres of the target keep what those of the source kept, as the user says it. What a data centre is,
// and which ones there are, only the target knows.
import { CodrError } from '../../base/error.ts';
import type { Connector } from '../../connector/connector.ts';
import type { GivenName } from '../../connector/restore-target.ts';

/** Reads `OLD=NEW`, each. Errors: `usage`. */
export function parseDatacenters(texts: readonly string[]): GivenName[] {
  return [...new Set(texts)].map((text) => {
    const at = text.indexOf('=');
    const [from, to] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
    if (at >= 0 && from !== '' && to !== '' && !to.includes('=')) return { from, to };
    throw new CodrError('usage', `"${text}" maps no data centre`, {
      object: text,
      remedy: 'write OLD=NEW: a data centre of the source, and the one of the target in its place',
    });
  });
}

/** Errors: `usage`, when the kind of database has no data centres. Known before anything is opened. */
export function refuseDatacenters(
  { kind, capabilities }: Pick<Connector, 'kind' | 'capabilities'>,
  datacenters: readonly GivenName[] = [],
): void {
  if (datacenters.length === 0 || capabilities.datacenters) return;
  throw new CodrError('usage', `--map-dc means nothing for ${kind}`, {
    object: '--map-dc',
    remedy: 'leave it out: its copies are not spread by data centres',
  });
}
