// A connector whose snapshots grow too old now and then, in the middle of a segment, and which may be slow to read. All
// else is passed on.
import { CodrError } from '../../src/base/error.ts';
import type { Random } from '../../src/base/random.ts';
import type { SegmentReader, SourceSession } from '../../src/connector/connector.ts';
import { MemoryConnector } from '../../src/connector/memory/memory-connector.ts';
import type { MemoryDatabases } from '../../src/connector/memory/memory-database.ts';
import type { RecordStream } from '../../src/model/record.ts';

export class UnsteadyConnector extends MemoryConnector {
  /** Called before each segment is read. */
  beforeRead: () => void = () => {};
  /** One segment in so many fails; 0: none. */
  oneIn: number;
  /** Longest time that a segment takes to be read. */
  delayMsMax = 0;
  readonly #random: Random;

  constructor(databases: MemoryDatabases, random: Random, oneIn: number) {
    super(databases);
    this.#random = random;
    this.oneIn = oneIn;
  }

  override async connect(...args: Parameters<MemoryConnector['connect']>): Promise<SourceSession> {
    const session = await super.connect(...args);
    const [, { clock }] = args;
    const read = session.readSegment.bind(session);
    session.readSegment = async (entry, range, signal): Promise<SegmentReader | undefined> => {
      this.beforeRead();
      if (this.delayMsMax > 0) await clock.sleep(this.#random.below(this.delayMsMax), signal);
      const reader = await read(entry, range, signal);
      const fails = this.oneIn > 0 && this.#random.below(this.oneIn) === 0;
      return reader && fails ? { ...reader, batches: tooOld(reader.batches) } : reader;
    };
    return session;
  }
}

async function* tooOld(batches: RecordStream): RecordStream {
  for await (const batch of batches) {
    yield batch.slice(0, batch.length >> 1);
    break;
  }
  throw new CodrError('snapshot-too-old', 'the snapshot is too old (fault made by a test)');
}
