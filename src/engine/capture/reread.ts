// Entries that an older version did not know are stored raw, and close the interval. A version that knows
// them makes their changes a run, and the holes that they made end: the log was kept all the time. Entries
// of closed epochs stay as they are.
import { once } from '../../base/async.ts';
import { fromBase64 } from '../../base/bytes.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import type { Change } from '../../model/change.ts';
import { datasetId, streamId } from '../../model/id.ts';
import { positionFromText, timeFromHex } from '../../model/time.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import { usePacks } from '../../repository/lineage/pack-table.ts';
import type { HoleRecord, UnknownRecord, WantRecord } from '../../repository/lineage/records.ts';
import type { WriterClaim } from '../../repository/lineage/writer.ts';
import { sortChanges, writeRun } from '../../repository/runs/run-writer.ts';
import type { SourceContext } from '../source-context.ts';
import { groupsOf, runKey, runRecord } from './run-records.ts';

export interface RereadOptions {
  readonly claim: WriterClaim;
  /** The running epoch. */
  readonly epoch: number;
  /** What is followed now. */
  readonly entries: readonly CatalogEntry[];
}

interface KnownNow {
  /** Places of the entries: the rest of their keys. */
  readonly places: ReadonlySet<string>;
  readonly changes: readonly Change[];
}

/** Returns how many stored entries this version has come to know. */
export async function rereadUnknown(
  context: SourceContext,
  { claim, epoch, entries }: RereadOptions,
): Promise<number> {
  const { lineage, repository, world } = context;
  const known = knownNow(context, epoch, entries);
  if (known.places.size === 0) return 0;
  const changes = sortChanges([...known.changes]);
  const session = repository.session();
  const run = await writeRun(once(changes), session.blocks, { tier: 0 });
  const used = await session.flush();
  await lineage.commit((draft): undefined => {
    claim.check(draft);
    const packs = String(usePacks(draft, used));
    for (const place of known.places) draft.set(`unknown/${place}`, null);
    endDoubts(draft, known.places);
    if (!run) return;
    const offset = run.inline ? draft.attach(run.inline) : 0;
    const where = { epoch, seq: draft.seq, offset, packs };
    draft.set(runKey(draft.seq), runRecord(run, where, groupsOf(changes)));
  });
  repository.committed(used);
  world.log.info({ entries: known.places.size }, 'log entries that were unknown are known now');
  return known.places.size;
}

function knownNow(
  { lineage, connector }: SourceContext,
  epoch: number,
  entries: readonly CatalogEntry[],
): KnownNow {
  const places = new Set<string>();
  const changes: Change[] = [];
  for (const [place, record] of lineage.state.list<UnknownRecord>('unknown')) {
    if (record.epoch !== epoch) continue;
    const { stream, time, name, body } = record;
    const stored = {
      stream: streamId(stream),
      time: timeFromHex(time),
      position: positionFromText(place),
      name,
      body: fromBase64(body),
    };
    const meant = connector.reread(stored, entries);
    if (!meant) continue;
    places.add(place);
    changes.push(...meant);
  }
  return { places, changes };
}

/** Holes, and wants of new base copies, whose entry is known now and that no other entry keeps open. */
function endDoubts(draft: Draft, known: ReadonlySet<string>): void {
  const left = draft.list<UnknownRecord>('unknown').map(([, record]) => record);
  const inDoubt = ({ dataset, from, to }: Omit<HoleRecord, 'stream' | 'reason'>): boolean =>
    dataset !== undefined &&
    left.some(
      ({ datasets, time }) =>
        datasets.includes(dataset) && time > from && (to === undefined || time < to),
    );
  for (const [n, hole] of draft.list<HoleRecord>('hole')) {
    if (hole.unknown && known.has(hole.unknown) && !inDoubt(hole)) draft.set(`hole/${n}`, null);
  }
  for (const [rest, want] of draft.list<WantRecord>('want')) {
    const dataset = datasetId(rest);
    const isEnded = want.unknown && known.has(want.unknown);
    if (!isEnded || inDoubt({ dataset, from: want.from })) continue;
    draft.set(`want/${rest}`, null);
    for (const part of [...draft.keys('segment', `${rest}/`)]) draft.set(`segment/${part}`, null);
  }
}
