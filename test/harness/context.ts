// What a connector gets from the outside world in tests: the real clock, repeatable chance, scratch space in
// memory, no log.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { MemorySpill } from '../../src/base/spill.ts';
import type { ConnectorContext } from '../../src/connector/connector.ts';

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await sleep(ms, undefined, signal && { signal });
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    }
  },
};

/** 8 MiB of memory, so that sorting has to spill early. */
export function connectorContext(settings: Partial<ConnectorContext> = {}): ConnectorContext {
  return {
    clock: realClock,
    random: new SeededRandom(1),
    log: silentLogger,
    spill: new MemorySpill(),
    memoryBytesMax: 8 << 20,
    owner: 'a-test',
    ...settings,
  };
}
