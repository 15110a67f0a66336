// `codr node`: one peer of a cluster, until it is told to stop.
import { z } from 'zod';
import { CodrError } from '../base/error.ts';
import { defineCommand } from './command.ts';

export const nodeCommand = defineCommand({
  path: 'node',
  summary: 'run a peer: serve clients over gRPC, share work with the other peers',
  about:
    'Peers with one etcd and one repository are a cluster; without etcd a peer is a cluster of one. ' +
    'SIGTERM and SIGINT make it hand over its work, finish calls, and end. The file is YAML: see the manual.',
  examples: ['codr node --config /etc/codr/peer.yaml'],
  json: '{name, seconds}',
  input: z.object({}),
  configFile: 'own',
  async run(_, { world, config, call }) {
    const path = config.config;
    if (path === undefined) {
      throw new CodrError('usage', 'a peer needs its configuration file', {
        remedy: 'give --config FILE or set CODR_CONFIG',
      });
    }
    const start = world.monotonic();
    const name = await world.runPeer(path, call.signal);
    return { name, seconds: (world.monotonic() - start) / 1000 };
  },
  print({ name }, output) {
    output.line(`peer ${name} has stopped`);
  },
});
