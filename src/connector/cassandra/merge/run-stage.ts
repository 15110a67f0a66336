// The one loop of the stages behind the merge: each takes record after record and gives blocks.

import type { BlockStream, RecordBlock } from '../../../model/record-block.ts';
import type { BlockBuilder } from '../record/block-builder.ts';

/** What a stage does with a record; what it gives goes to `out`. */
interface Stage {
  readonly out: BlockBuilder;
  record(block: RecordBlock, index: number): void;
}

export async function* runStage(input: BlockStream, stage: Stage): BlockStream {
  for await (const block of input) {
    for (let i = 0; i < block.count; i++) {
      stage.record(block, i);
      if (stage.out.full) yield stage.out.take();
    }
  }
  if (stage.out.count > 0) yield stage.out.take();
}
