// The command line in this process, which is many times as fast as a new one, and otherwise as the program does it.
import assert from 'node:assert/strict';
import { openEmbeddedNode } from '../../src/cli/embedded-api.ts';
import { openPeer } from '../../src/cli/peer-api.ts';
import { runProgram } from '../../src/cli/program.ts';

/** How a command ended. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command to its end; nobody interrupts it. */
export async function commandLine(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Ran> {
  const told = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      told[name] += text;
    },
    isTerminal: false,
    columns: 100,
  });
  const code = await runProgram(args, {
    env,
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    monotonic: () => performance.now(),
    onInterrupt: () => () => {},
    exitNow: () => assert.fail('nobody interrupts'),
    openApi: async (config) =>
      config.node === undefined ? openEmbeddedNode(config) : openPeer(config.node, config),
    runDemo: () => assert.fail('no demo'),
    runPeer: () => assert.fail('no peer'),
  });
  return { code, ...told };
}
