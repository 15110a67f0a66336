// The state of everything at one look: the repository, each source with lag and headroom, who writes.
import type * as api from '../../api/codr-api.ts';
import { hasCuts } from '../../engine/history/cut-history.ts';
import { restorableIntervals } from '../../engine/history/source-history.ts';
import { describeUndecided, undecidedOf } from '../../engine/history/undecided.ts';
import { connectorContext } from '../../engine/source-context.ts';
import { streamId } from '../../model/id.ts';
import type { Interval } from '../../model/point.ts';
import { positionFromText } from '../../model/time.ts';
import type { StreamRecord } from '../../repository/lineage/records.ts';
import type { StateView } from '../../repository/lineage/state.ts';
import { currentWriter, nameOf } from '../../repository/lineage/writer.ts';
import { describeHoles, describeRepository, lagOf, spanOf } from '../describe.ts';
import type { NodeContext, OpenSource } from '../node-context.ts';
import { programVersion } from '../program-version.ts';

/** A source that does not answer within this time is shown without its headroom. */
const askSourceMs = 3000;

const alone: Pick<api.Status, 'peers' | 'operations'> = {
  peers: [{ name: 'embedded', state: 'up', version: programVersion() }],
  operations: [],
};

export async function status(node: NodeContext, { signal }: api.Call): Promise<api.Status> {
  const { repository } = await node.open();
  let [packs, packBytes] = [0, 0];
  for await (const { size } of repository.store.list('packs/', signal)) {
    packs++;
    packBytes += size;
  }
  const opened = await node.sources();
  const sources = await Promise.all(opened.map((source) => sourceStatus(node, source, signal)));
  const lags = new Map(
    sources.flatMap(({ name, lagSeconds }) =>
      lagSeconds === undefined ? [] : [[name, lagSeconds]],
    ),
  );
  return {
    repository: { ...describeRepository(repository), packs, packBytes },
    ...((await node.cluster?.describe(lags)) ?? alone),
    sources,
  };
}

async function sourceStatus(
  node: NodeContext,
  source: OpenSource,
  signal: AbortSignal,
): Promise<api.SourceStatus> {
  const { context } = source;
  const { connector, lineage } = context;
  const { state } = lineage;
  const interval = newestSpan(state);
  const lagSeconds = lagOf(state, connector, node.world.clock.now());
  const reach = await reachOfLog(source, signal);
  const writer = await liveWriter(source);
  const holes = describeHoles(context);
  return {
    name: context.name,
    state: stateOf({
      isPassed: reach?.isPassed ?? false,
      isRestorable: interval !== undefined,
      isCopying: state.keys('want').length > 0,
      isWritten: writer !== undefined,
      hasOpenHole: holes.some((hole) => hole.to === undefined),
    }),
    ...(lagSeconds !== undefined && { lagSeconds }),
    ...(reach && { headroomSeconds: reach.headroomSeconds }),
    ...(interval && { interval: spanOf(connector, interval) }),
    ...(hasCuts(state) && { cuts: restorableIntervals(state).length }),
    holes,
    ...(writer !== undefined && { writer }),
    ...heldBack(source),
  };
}

/** The newest unbroken interval; of cuts, which are moments, from the first to the last. */
function newestSpan(state: StateView): Interval | undefined {
  const intervals = restorableIntervals(state);
  const [first, last] = [intervals[0], intervals.at(-1)];
  return first && last && hasCuts(state) ? { from: first.from, to: last.to } : last;
}

function stateOf(facts: {
  readonly isPassed: boolean;
  readonly isRestorable: boolean;
  readonly isCopying: boolean;
  readonly isWritten: boolean;
  readonly hasOpenHole: boolean;
}): api.SourceStatus['state'] {
  if (facts.isPassed) return 'gap';
  if (facts.isCopying && facts.isWritten) return 'copying';
  if (facts.hasOpenHole) return 'hole';
  if (!facts.isRestorable) return 'new';
  return facts.isWritten ? 'following' : 'idle';
}

/** A dead process that held the source is no writer. */
async function liveWriter({ context }: OpenSource): Promise<string | undefined> {
  const holder = currentWriter(context.lineage.state);
  if (!holder || (await context.world.probe.isAlive(holder)) === 'dead') return undefined;
  return nameOf(holder);
}

/**
 * Seconds of log between its oldest entry and ours: what is left when the log rolls on as it does. None when
 * our place is gone. Undefined when the source does not answer, or another cluster does.
 */
async function reachOfLog(
  { context, registered }: OpenSource,
  signal: AbortSignal,
): Promise<{ headroomSeconds: number; isPassed: boolean } | undefined> {
  const { connector, config, lineage, world } = context;
  const [first] = lineage.state.list<StreamRecord>('stream');
  if (!first || !connector.capabilities.orderedLog) return undefined;
  const [stream, { resume }] = first;
  const both = AbortSignal.any([signal, AbortSignal.timeout(askSourceMs)]);
  try {
    await using session = await connector.connect(await config(), connectorContext(world), both);
    if (session.identity.id !== registered.identity) return undefined;
    const { oldest } = await session.logBounds(streamId(stream), both);
    const at = positionFromText(resume).time;
    const seconds = Math.round((connector.wallMs(at) - connector.wallMs(oldest)) / 1000);
    return { headroomSeconds: Math.max(0, seconds), isPassed: oldest > at };
  } catch (error) {
    signal.throwIfAborted();
    world.log.info({ error: String(error), source: context.name }, 'the source was not asked');
    return undefined;
  }
}

function heldBack({ context }: OpenSource): { heldBackBy?: string } {
  for (const [stream, record] of context.lineage.state.list<StreamRecord>('stream')) {
    const through = positionFromText(record.through).time;
    if (BigInt(`0x${record.settled}`) < through) {
      const undecided = undecidedOf(record);
      const held = undecided && describeUndecided(context.connector, undecided);
      return { heldBackBy: `${held ?? 'an undecided prepared transaction'} in ${stream}` };
    }
  }
  return {};
}
