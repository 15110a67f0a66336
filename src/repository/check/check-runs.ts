// Runs of changes: inline ones decoded whole, those in packs followed down to the frames of their blocks.
import { fromBase64 } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import type { PackId } from '../../model/id.ts';
import { entryName, type Lineage } from '../lineage/lineage.ts';
import type { RunRecord } from '../lineage/records.ts';
import { packName } from '../pack/pack-format.ts';
import { readIndexBlock, readWholeRun, rootOf } from '../runs/run-reader.ts';
import {
  type Block,
  type BlockRef,
  decodeRunRef,
  InlineBlockSource,
  type RunRef,
} from '../runs/run-ref.ts';
import type { ContentContext } from './check-trees.ts';
import type { SourceWords } from './describe.ts';
import { isLoss } from './losses.ts';

type PackBlock = Extract<BlockRef, { readonly pack: PackId }>;

export async function checkRuns(
  context: ContentContext,
  lineage: Lineage,
  words: SourceWords,
): Promise<void> {
  for (const [rest, run] of lineage.state.list<RunRecord>('run')) {
    context.signal.throwIfAborted();
    const span = `${words.time(run.minTime)} to ${words.time(run.maxTime)}`;
    const affected = `${words.name}: changes of ${span}, and every later time that folds over them`;
    const object = run.seq === undefined ? undefined : entryName(lineage.name, run.seq);
    try {
      if (object !== undefined) await readInline(lineage, run);
      else if (await lacksBlocks(context, decodeRunRef(fromBase64(run.ref)), affected)) {
        context.found.runs.add(rest);
      }
    } catch (error) {
      if (isLoss(error)) context.found.runs.add(rest);
      else if (!isCodrError(error, 'format-unknown')) throw error;
      const named = object ?? (error.object?.includes('/') ? error.object : `run ${rest}`);
      if (context.problems.hurt(named, affected)) continue;
      const problem = `run ${rest}: ${error.message}`;
      const { remedy } = context;
      context.problems.add({ object: named, problem, affected: [affected], remedy });
    }
  }
}

async function readInline(lineage: Lineage, run: RunRecord): Promise<void> {
  const attachments = await lineage.attachments(run.seq as number);
  const offset = run.offset ?? 0;
  const bytes = attachments.subarray(offset, offset + (run.length ?? 0));
  const batches = readWholeRun(new InlineBlockSource(bytes), decodeRunRef(fromBase64(run.ref)));
  for await (const _ of batches);
}

/** Reads index blocks; of data blocks only their place is looked at. True when one is lost. */
async function lacksBlocks(
  context: ContentContext,
  run: RunRef,
  affected: string,
): Promise<boolean> {
  const { repository, losses, problems, signal } = context;
  let lacks = false;
  let blocks: readonly Block[] = [rootOf(run)];
  const isLost = ({ pack, frame }: PackBlock): boolean => {
    const loss = losses.get(pack);
    return loss !== undefined && (loss.whole || loss.frames.has(frame));
  };
  for (let level = run.levels; ; level--) {
    for (const { ref } of blocks) {
      const { pack, frame } = ref as PackBlock;
      const address = { id: pack, kind: 'c' } as const;
      if (isLost({ pack, frame })) {
        problems.hurt(packName(address), affected);
        lacks = true;
      } else (await repository.packs.footer(address, signal)).frame(frame);
    }
    if (level === 0) return lacks;
    const below: Block[] = [];
    for (const block of blocks) {
      if (isLost(block.ref as PackBlock)) continue;
      below.push(...(await readIndexBlock(repository.blocks, run, block)));
    }
    blocks = below;
  }
}
