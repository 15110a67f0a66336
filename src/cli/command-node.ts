// `codr node`: one peer of a cluster, until it is told to stop.
import { peerOptions } from '../node/peer/peer-options.ts';
import { defineCommand } from './command.ts';

export const nodeCommand = defineCommand({
  path: 'node',
  summary: 'run a peer: serve clients over gRPC, share work with the other peers',
  about:
    'Peers with one etcd and one repository are a cluster; without etcd a peer is a cluster of one. ' +
    'SIGTERM and SIGINT make it hand over its work, finish calls, and end. Each setting is a flag, a variable or a ' +
    'field of the YAML file: a flag wins over the environment, the environment over the file. Paths in the file are ' +
    'meant from its folder. Lists are flags that are repeated, and variables with commas; the list of one place replaces ' +
    'that of another.',
  examples: [
    'codr node --config /etc/codr/peer.yaml',
    'codr node --config /etc/codr/peer.yaml --name n2 --log-level debug',
    'codr node --name n1 --listen 127.0.0.1:7420 --insecure --repo /backup/codr',
  ],
  json: '{name, seconds}',
  input: peerOptions,
  configFile: {
    text: 'YAML file with these settings, by their keys',
    async read(path) {
      const { readPeerFile } = await import('../node/peer/peer-file.ts');
      return readPeerFile(path);
    },
    without: ['node', 'ca', 'cert', 'key', 'token'],
  },
  async run(options, { world, call }) {
    const start = world.monotonic();
    const name = await world.runPeer(options, call.signal);
    return { name, seconds: (world.monotonic() - start) / 1000 };
  },
  print({ name }, output) {
    output.line(`peer ${name} has stopped`);
  },
});
