// The other side of a segment's order: a session with the source, kept from one order to the next.
import { CodrError } from '../../base/error.ts';
import type { WorkContext } from '../../cluster/work-pool.ts';
import type { SourceSession } from '../../connector/connector.ts';
import { connectorContext, type SourceContext } from '../source-context.ts';
import { catchUp, type OpenedHere } from '../work/opened-here.ts';
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
  sources: OpenedHere<WorkerSource>,
): Promise<unknown> {
  const order = readSegmentOrder(input);
  const { source, identity, refused } = order;
  const open = (context: SourceContext): Promise<WorkerSource> =>
    connect(context, order, work.signal);
  return await sources.use({ key: `${source} ${identity}`, source }, open, async (opened) => {
    await catchUp(opened.context, refused);
    return builtToText(await buildUnits(opened.context, opened.session, order, work));
  });
}

async function connect(
  context: SourceContext,
  { identity }: Pick<SegmentOrder, 'identity'>,
  signal: AbortSignal,
): Promise<WorkerSource> {
  const { connector, world } = context;
  const config = await context.config();
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
