// A cluster that a cut is given back to: by files where the configuration names nodes, else by CQL alone.
import type { ConnectorContext, SourceConfig } from '../../connector.ts';
import type { RestoreTarget } from '../../restore-target.ts';
import { configOf, cutNodes, filesOf } from '../session/cassandra-session.ts';
import { openCql } from '../session/cql.ts';
import { readRing } from '../session/ring.ts';
import { openCqlTarget } from './cql-target.ts';
import { SstableTarget } from './sstable-target.ts';

/** Errors: `config-invalid`, and those of reaching the target. */
export async function openCassandraTarget(
  source: SourceConfig,
  context: ConnectorContext,
  signal: AbortSignal,
): Promise<RestoreTarget> {
  const config = configOf(source);
  const cql = await openCql(config, signal, 'target');
  try {
    const controls = cutNodes(config, filesOf(context)).map(({ control }) => control);
    if (controls.length === 0) return await openCqlTarget({ config, cql }, context, signal);
    const ring = await readRing(cql, controls, signal);
    return new SstableTarget({ config, cql, ring }, context);
  } catch (error) {
    await cql[Symbol.asyncDispose]();
    throw error;
  }
}
