// A peer as a program: serves, and says so in one line; ends when it is told to.
import { openLogger } from '../logger.ts';
import { systemClock } from '../system-clock.ts';
import { systemRandom } from '../system-random.ts';
import { TemporarySpill } from '../temporary-spill.ts';
import { peerConfig } from './peer-config.ts';
import { PeerNode } from './peer-node.ts';
import type { PeerOptions } from './peer-options.ts';

/** Resolves with the peer's name when it has stopped. Errors: those of `PeerNode.start`, `config-invalid`. */
export async function runPeer(options: PeerOptions, signal: AbortSignal): Promise<string> {
  const config = peerConfig(options);
  const log = openLogger(config.common.logLevel, {
    stacks: false,
    form: process.stderr.isTTY ? 'terminal' : 'json',
    write: (line) => {
      process.stderr.write(line);
    },
  });
  const spill = new TemporarySpill(config.common.tempDir);
  const { segmentBytes, sourceBytesPerSecond } = config;
  const world = {
    clock: systemClock,
    random: systemRandom,
    spill,
    log,
    segmentBytes,
    sourceBytesPerSecond,
  };
  const peer = await PeerNode.start(config, world, process.env);
  log.info({ peer: config.name, address: peer.address }, 'serving');
  try {
    if (!signal.aborted) {
      await new Promise((stop) => signal.addEventListener('abort', stop, { once: true }));
    }
    log.info({ peer: config.name }, 'stopping');
  } finally {
    await peer[Symbol.asyncDispose]();
  }
  return config.name;
}
