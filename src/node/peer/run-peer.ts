// A peer as a program: serves, and says so in one line; ends when it is told to.
import type { Logger } from '../../base/log.ts';
import type { Config } from '../config.ts';
import { type LogDestination, openLogger } from '../logger.ts';
import { systemClock } from '../system-clock.ts';
import { systemRandom } from '../system-random.ts';
import { TemporarySpill } from '../temporary-spill.ts';
import { peerConfig } from './peer-config.ts';
import { PeerNode } from './peer-node.ts';
import type { PeerOptions } from './peer-options.ts';

/** Resolves with the peer's name when it has stopped. Errors: those of `PeerNode.start`, `config-invalid`. */
export async function runPeer(options: PeerOptions, signal: AbortSignal): Promise<string> {
  const config = peerConfig(options);
  const { log, audit } = peerLogs(config.common.logLevel, {
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
    audit,
    segmentBytes,
    sourceBytesPerSecond,
  };
  const peer = await PeerNode.start(config, world, variablesFor(process.env));
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

/**
 * The variables that those who call may name as the place of a password, which is then shown to a server that they name
 * too: none that opens the repository or its store.
 */
export function variablesFor(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isOurs = (name: string): boolean => name === 'CODR_PASSWORD' || name.startsWith('AWS_');
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isOurs(name)));
}

/** What a peer says, and what is said of those who change something through it: that is told at every level. */
export function peerLogs(
  level: Config['logLevel'],
  to: Pick<LogDestination, 'form' | 'write'>,
): { readonly log: Logger; readonly audit: Logger } {
  const destination = { stacks: false, ...to };
  return { log: openLogger(level, destination), audit: openLogger('info', destination) };
}
