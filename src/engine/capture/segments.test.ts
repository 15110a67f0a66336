// How fast ranges of a source are read: within its share of what the source allows, and slower under pressure.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { silentLogger } from '../../base/log.ts';
import { Throttle } from '../../base/throttle.ts';
import type { SourceSession } from '../../connector/connector.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import { datasetId } from '../../model/id.ts';
import { wholeRange } from '../../model/key-range.ts';
import type { RecordBatch, RecordStream } from '../../model/record.ts';
import { createFixture, openFixture } from '../../repository/collect/repository-fixture.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { EngineWorld } from '../source-context.ts';
import { SourcePace } from '../source-pace.ts';
import { buildUnits, readSegmentOrder, segmentOrder } from './segments.ts';

const entry = { dataset: datasetId('00'.repeat(16)), body: new Uint8Array(0) } as CatalogEntry;
const unit = { entry, range: wholeRange, fuzzy: false };
const signal = new AbortController().signal;

/** Reads 40 batches of 1,000 bytes, each of which the source gives after 10 ms; the ms that it took. */
async function read(limits: {
  readonly bytesPerSecond: number;
  readonly ofPeer?: number;
  readonly pressure?: string;
}): Promise<number> {
  const store = new MemoryObjectStore();
  await createFixture(store, 1);
  const repository = await openFixture(store, { seed: 2, packBytesTarget: 100_000 });
  const clock = new ManualClock({ jumps: true });
  const batches = async function* (): RecordStream {
    for (let i = 0; i < 40; i++) {
      await clock.sleep(10);
      const batch: RecordBatch = [{ key: Uint8Array.of(1, i), value: new Uint8Array(998) }];
      yield batch;
    }
  };
  const session: Pick<SourceSession, 'readSegment' | 'pressure'> = {
    readSegment: async () => ({ after: 1n, exactFrom: () => 1n, batches: batches() }),
    pressure: async () => limits.pressure,
  };
  const world = { clock, throttle: new Throttle(limits.ofPeer ?? 0, clock) };
  const context = {
    repository,
    world: world as unknown as EngineWorld,
    pace: new SourcePace({ name: 'shop', clock, log: silentLogger }),
  };
  const reading = { units: [unit], whole: true, bytesPerSecond: limits.bytesPerSecond };
  const built = await buildUnits(context, session, reading, { signal, progress: () => {} });
  assert.equal(built.units[0]?.records, 40);
  return clock.monotonic();
}

test('a reading has its share of what the source allows, and no more than its peer may read', async () => {
  assert.equal(await read({ bytesPerSecond: 0 }), 400);
  assert.equal(await read({ bytesPerSecond: 10_000 }), 4400);
  assert.equal(await read({ bytesPerSecond: 10_000, ofPeer: 5000 }), 8400);
});

test('a source under pressure is read more slowly', async () => {
  const slow = await read({ bytesPerSecond: 0, pressure: '9 operations wait' });
  assert.ok(slow > 700, `it took ${slow} ms`);
});

test('the share of a reading goes with its order; peers of a version before ask for none', () => {
  const order = { source: 'aa', identity: 'rs', units: [unit], whole: false, refused: [] };
  const { kind, input } = segmentOrder({ ...order, bytesPerSecond: 1234.5 });
  assert.equal(kind, 'segments');
  const sent = JSON.parse(JSON.stringify(input)) as Record<string, unknown>;
  assert.equal(readSegmentOrder(sent).bytesPerSecond, 1234.5);
  delete sent.bytesPerSecond;
  assert.equal(readSegmentOrder(sent).bytesPerSecond, 0);
});
