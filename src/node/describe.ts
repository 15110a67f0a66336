// From the engine's words to the API's: moments, spans, holes, sources. The only place where source times
// become text.
import type * as api from '../api/codr-api.ts';
import type { Connector } from '../connector/connector.ts';
import {
  catalogChanges,
  epochsOf,
  holesOf,
  restorableIntervals,
} from '../engine/history/source-history.ts';
import type { SourceContext } from '../engine/source-context.ts';
import type { DatasetId } from '../model/id.ts';
import type { Hole, Interval } from '../model/point.ts';
import { lastTime, type SourceTime, timeFromHex } from '../model/time.ts';
import type { KeySlot } from '../repository/keys/key-slots.ts';
import type { PointRecord } from '../repository/lineage/records.ts';
import type { StateView } from '../repository/lineage/state.ts';
import type { Repository } from '../repository/repository.ts';
import type { RegisteredSource } from './source-registry.ts';

export function momentOf(connector: Connector, time: SourceTime): api.Moment {
  return {
    time: connector.formatTime(time),
    wall: new Date(connector.wallMs(time)).toISOString(),
  };
}

export function spanOf(connector: Connector, { from, to }: Interval): api.Span {
  return { from: momentOf(connector, from), to: momentOf(connector, to) };
}

export function describePoint(connector: Connector, id: string, point: PointRecord): api.Point {
  const { datasets, records, bytes, estimated, grade } = point;
  const counts = {
    datasets,
    records,
    bytes,
    ...(estimated && { estimated }),
    ...(grade && { grade }),
  };
  return { id, ...momentOf(connector, timeFromHex(point.time)), ...counts };
}

export function describeSource(
  source: RegisteredSource,
  connector: Connector,
): api.SourceDescription {
  const { name, id, kind, identity, version, streams, include, exclude, addedMs, limits } = source;
  return {
    name,
    id,
    kind,
    uri: connector.redact(source.uri),
    identity,
    version,
    streams,
    include,
    exclude,
    added: new Date(addedMs).toISOString(),
    ...limits,
  };
}

export function describePoints(context: SourceContext, nowMs: number): api.Points {
  const { connector, name } = context;
  const { state } = context.lineage;
  const lagSeconds = lagOf(state, connector, nowMs);
  return {
    source: name,
    intervals: restorableIntervals(state).map((interval) => spanOf(connector, interval)),
    holes: describeHoles(context),
    points: state
      .list<PointRecord>('point')
      .sort(([, a], [, b]) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
      .map(([id, point]) => describePoint(connector, id, point)),
    ...(lagSeconds !== undefined && { lagSeconds }),
  };
}

export function describeHoles(context: Pick<SourceContext, 'connector' | 'lineage'>): api.Hole[] {
  const { connector, lineage } = context;
  return holesOf(lineage.state).map((hole) => {
    const { stream, dataset, from, to, reason } = hole;
    return {
      stream,
      ...(dataset && { dataset: nameIn(context, dataset, hole) }),
      from: momentOf(connector, from),
      ...(to !== undefined && { to: momentOf(connector, to) }),
      reason,
    };
  });
}

/** What a dataset was called when its hole began or ended; its id where neither is known. */
function nameIn(
  { connector, lineage: { state } }: Pick<SourceContext, 'connector' | 'lineage'>,
  dataset: DatasetId,
  { from, to }: Hole,
): string {
  for (const at of [from + 1n, to ?? lastTime]) {
    for (const { number } of epochsOf(state).reverse()) {
      const entries = connector.foldCatalog(catalogChanges(state, number, at));
      const entry = entries.find((one) => one.dataset === dataset);
      if (entry) return entry.namespace;
    }
  }
  return dataset;
}

/** Now minus the newest restorable time; undefined when nothing is restorable. */
export function lagOf(state: StateView, connector: Connector, nowMs: number): number | undefined {
  const newest = restorableIntervals(state).at(-1)?.to;
  if (newest === undefined) return undefined;
  return Math.max(0, Math.round((nowMs - connector.wallMs(newest)) / 1000));
}

export function describeRepository({
  store,
  config,
  unlocked,
}: Repository): api.RepositoryDescription {
  return { url: store.url, id: config.repositoryId, encrypted: unlocked.slot.kind !== 'open' };
}

export function describeSlot({ id, kind }: KeySlot): api.KeySlot {
  return { id, kind, protection: protections.get(kind) ?? 'of a newer version of CODR' };
}

const protections: ReadonlyMap<string, string> = new Map([
  ['passphrase', 'scrypt and AES-256-GCM'],
  ['key-file', 'HKDF and AES-256-GCM'],
  ['open', 'nothing: the root key lies open'],
]);
