// Folding what is stored into new base copies.
import type * as api from '../../api/codr-api.ts';
import { checkpoint as runCheckpoint } from '../../engine/checkpoint/checkpoint.ts';
import { parseWhen } from '../../engine/read/point.ts';
import { momentOf } from '../describe.ts';
import type { NodeContext } from '../node-context.ts';
import { withPin } from '../pin.ts';
import { pointContext } from './history-calls.ts';

export async function checkpoint(
  node: NodeContext,
  { source, to }: api.CheckpointRequest,
  call: api.Call,
): Promise<api.CheckpointResult> {
  const storedBefore = node.bytesStored;
  const bytesStored = (): number => node.bytesStored - storedBefore;
  const { context } = await node.source(source, 'heavy');
  await node.learnCommitted(context.repository);
  return await withPin(context, async () => {
    const at = parseWhen(pointContext(context), to);
    const outcome = await runCheckpoint(
      context,
      { at, listener: (report) => call.progress?.({ ...report, bytesStored: bytesStored() }) },
      call.signal,
    );
    const { datasets, unchanged, bytesDeduplicated, seconds } = outcome;
    return {
      source,
      at: momentOf(context.connector, outcome.at),
      datasets,
      unchanged,
      bytesStored: bytesStored(),
      bytesDeduplicated,
      seconds,
    };
  });
}
