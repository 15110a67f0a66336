// What must not change while a cut is taken: the ring, the schema and what was truncated. It is looked at again once all
// files are listed: what is flushed after a change is linked after it, and would be read as if there had been none.
import { isCodrError } from '../../../base/error.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { CutNode, NodeTask, PreparedNode } from './node-cut.ts';
import { readRing, ringDigest } from './ring.ts';
import { type NodeMarks, readNodeMarks } from './truncation.ts';

export interface CutSoFar {
  readonly task: NodeTask;
  readonly nodes: readonly CutNode[];
  /** Those that were listed, as they were before the first flush. */
  readonly prepared: readonly PreparedNode[];
}

/** What changed since the nodes were prepared; undefined: nothing that matters. */
export async function changeSince(cut: CutSoFar): Promise<string | undefined> {
  const { task, nodes, prepared } = cut;
  const { cql, signal, ring: before } = task;
  const controls = nodes.map(({ control }) => control);
  const ring = await readRing(cql, controls, signal);
  if (ring.disputed || ringDigest(ring) !== ringDigest(before)) return 'the ring changed';
  if (String(ring.schemaVersions) !== String(before.schemaVersions)) return 'the schema changed';
  for (const node of prepared) {
    const now = await marksNow(task, node);
    if (now === undefined) return `${node.node.address} does not answer any more`;
    const changed = changeOf(node.marks, now, task.tables);
    if (changed !== undefined) return changed;
  }
  return undefined;
}

/** Undefined for a node that is gone, or is another one: the next try counts it as a replica that is missing. */
async function marksNow(
  { cql, signal }: NodeTask,
  node: PreparedNode,
): Promise<NodeMarks | undefined> {
  try {
    return await readNodeMarks(cql, node, signal);
  } catch (error) {
    if (isCodrError(error)) return undefined;
    throw error;
  }
}

function changeOf(
  before: NodeMarks,
  now: NodeMarks,
  tables: readonly TableSchema[],
): string | undefined {
  if (now.schemaVersion !== before.schemaVersion) return 'the schema changed';
  for (const { id, keyspace, table } of tables) {
    const [was, is] = [before.truncations.get(id), now.truncations.get(id)];
    if (was?.atMs !== is?.atMs || was?.position !== is?.position) {
      return `${keyspace}.${table} was truncated`;
    }
  }
  return undefined;
}
