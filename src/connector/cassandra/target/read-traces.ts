// Which replica answered a read, as the trace says that its coordinator kept: a coordinator may ask another one, and then
// the read says nothing of its own files. Traces are written a moment after the answer.
import { toHex, view } from '../../../base/bytes.ts';
import type { Clock } from '../../../base/clock.ts';
import type { NodeQueries } from '../wire/wire-connection.ts';

const waitMsMax = 5_000;
const pauseMs = 50;
/** Of one read, about 15. */
const eventsMax = 20_000;

/**
 * How many of the traced reads the node of the connection answered out of its own files. Errors: `target-rights` where
 * the user may not read `system_traces`.
 */
export async function answeredByItself(
  connection: NodeQueries,
  tracingIds: readonly Uint8Array[],
  clock: Clock,
  signal: AbortSignal,
): Promise<number> {
  if (tracingIds.length === 0) return 0;
  const until = clock.monotonic() + waitMsMax;
  const marks = tracingIds.map(() => '?').join(', ');
  const sessions = `SELECT session_id, coordinator FROM system_traces.sessions WHERE session_id IN (${marks})`;
  const events = `SELECT session_id, source, activity FROM system_traces.events WHERE session_id IN (${marks})`;
  for (;;) {
    const ask = { values: tracingIds, rowsMax: eventsMax };
    const found = new Map<string, Trace>();
    for (const [id, coordinator] of (await connection.query(sessions, ask, signal)).rows) {
      if (id && coordinator) found.set(toHex(id), { coordinator, isOwn: false, isOther: false });
    }
    for (const [id, source, activity] of (await connection.query(events, ask, signal)).rows) {
      const trace = id && found.get(toHex(id));
      if (!trace || !source || !activity) continue;
      const what = view(activity).toString();
      const isOwn = view(source).equals(trace.coordinator);
      // A second replica that is asked in case the first is slow counts as another one too.
      if (isOwn && what.startsWith('reading ')) trace.isOther = true;
      if (what.startsWith('Executing single-partition query')) {
        if (isOwn) trace.isOwn = true;
        else trace.isOther = true;
      }
    }
    const all = [...found.values()];
    const settled = all.filter(({ isOwn, isOther }) => isOwn || isOther).length;
    if (settled === tracingIds.length || clock.monotonic() >= until) {
      return all.filter(({ isOwn, isOther }) => isOwn && !isOther).length;
    }
    await clock.sleep(pauseMs, signal);
  }
}

interface Trace {
  readonly coordinator: Uint8Array;
  isOwn: boolean;
  isOther: boolean;
}
