// Every kind of coordinator, by name. A new one is a folder beside this file, one line in `kinds`, and one
// call of the conformance suite.
import type { Clock } from '../base/clock.ts';
import { CodrError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Coordinator } from './coordinator.ts';
import type { EtcdOptions } from './etcd/etcd-coordinator.ts';
import { MemoryCoordinator } from './memory/memory-coordinator.ts';

/** What coordinators need from outside. */
export interface CoordinatorContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** What each kind is told; those of other kinds are ignored. */
export interface CoordinatorSettings {
  readonly etcd?: EtcdOptions;
}

type Open = (context: CoordinatorContext, settings: CoordinatorSettings) => Promise<Coordinator>;

const kinds: Readonly<Record<string, Open>> = {
  memory: async ({ clock, random }) => {
    // A process counts its revisions from 1: each is a life of its own.
    const id = `memory-${Buffer.from(random.bytes(12)).toString('hex')}`;
    return new MemoryCoordinator(clock, id);
  },
  etcd: async (context, { etcd }) => {
    if (!etcd) {
      throw new CodrError('config-invalid', 'nothing says where etcd is', {
        object: 'etcd',
        remedy: 'name its endpoints and the prefix of its keys',
      });
    }
    // gRPC is loaded by those alone who use it.
    const { EtcdCoordinator } = await import('./etcd/etcd-coordinator.ts');
    return await EtcdCoordinator.open(etcd, context);
  },
};

/**
 * A coordinator of `kind`; the caller disposes of it. Errors: `config-invalid` for an unknown kind and wrong
 * settings; `coordinator-unreachable` and `coordinator-refused` where it is another process.
 */
export async function openCoordinator(
  kind: string,
  context: CoordinatorContext,
  settings: CoordinatorSettings = {},
): Promise<Coordinator> {
  const open = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (open) return await open(context, settings);
  throw new CodrError('config-invalid', `no coordinator is known by "${kind}"`, {
    object: kind,
    remedy: `choose one of ${Object.keys(kinds).join(', ')}`,
  });
}
