// The other side of a segment's order: a session with the source, kept from one order to the next.
import { CodrError } from '../../base/error.ts';
import type { WorkContext } from '../../cluster/work-pool.ts';
import type { SourceSession } from '../../connector/connector.ts';
import { connectorContext, type SourceContext } from '../source-context.ts';
import type { IdleCache } from '../work/idle-cache.ts';
import { buildUnits, builtToText, readSegmentOrder, type SegmentOrder } from './segments.ts';

/** A source that this worker has opened. */
export interface WorkerSource extends AsyncDisposable {
  readonly context: SourceContext;
  readonly session: SourceSession;
}

/** Errors: those of the source; `source-other-identity`. */
export async function segmentWork(
  input: unknown,
  work: WorkContext,
  {
    sources,
    openSource,
  }: {
    readonly sources: IdleCache<WorkerSource>;
    openSource(lineage: string): Promise<SourceContext>;
  },
): Promise<unknown> {
  const order = readSegmentOrder(input);
  const open = async (): Promise<WorkerSource> => {
    const context = await openSource(order.source);
    return await connect(context, order, work.signal);
  };
  return await sources.use(`${order.source} ${order.identity}`, open, async (source) => {
    const { repository, lineage } = source.context;
    // What others have committed meanwhile need not be stored again; what was condemned must be.
    await lineage.refresh();
    repository.learn(lineage);
    repository.forget(order.refused);
    return builtToText(await buildUnits(source.context, source.session, order, work));
  });
}

async function connect(
  context: SourceContext,
  { identity }: Pick<SegmentOrder, 'identity'>,
  signal: AbortSignal,
): Promise<WorkerSource> {
  const { connector, config, world } = context;
  const session = await connector.connect(config, connectorContext(world), signal);
  if (session.identity.id === identity) {
    return { context, session, [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
  }
  await session[Symbol.asyncDispose]();
  throw new CodrError(
    'source-other-identity',
    `${connector.redact(config.uri)} is ${session.identity.id} from here, not ${identity}`,
    { object: context.name },
  );
}
