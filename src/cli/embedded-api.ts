// Opens a node inside this process with the machine's own clock, chance, disk and log.
import type { CodrApi } from '../api/codr-api.ts';
import type { Config } from '../node/config.ts';
import { EmbeddedNode } from '../node/embedded-node.ts';
import { openLogger } from '../node/logger.ts';
import { systemClock } from '../node/system-clock.ts';
import { systemRandom } from '../node/system-random.ts';
import { TemporarySpill } from '../node/temporary-spill.ts';

export function openEmbeddedNode(config: Config): Promise<CodrApi> {
  return EmbeddedNode.open(config, {
    clock: systemClock,
    random: systemRandom,
    spill: new TemporarySpill(config.tempDir),
    log: openLogger(config.logLevel, {
      stacks: config.debug,
      form: config.json || !process.stderr.isTTY ? 'json' : 'terminal',
      write: (line) => {
        process.stderr.write(line);
      },
    }),
  });
}
