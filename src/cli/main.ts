#!/usr/bin/env node
// The `codr` program: the real world for `runProgram`, and nothing else. What a command needs is loaded
// when it needs it, so that help and completion are there at once.
import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { CliWorld } from './command.ts';
import type { TextSink } from './output.ts';
import { runProgram } from './program.ts';

// Half the time of a short command is compiling. The user's own cache: one that others write is no place for code.
const home = homedir();
const cache = process.env.XDG_CACHE_HOME || join(home, '.cache');
if (existsSync(home)) enableCompileCache(join(cache, 'codr', 'compiled'));

/**
 * A reader that has gone (`codr points | head`) is no failure. Elsewhere a result that nobody could read is one,
 * though the work itself goes on to its end. Of stderr nothing can be told.
 */
let isOutputLost = false;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || isOutputLost) return;
  isOutputLost = true;
  process.stderr.write(`error: the output cannot be written: ${error.message}\n`);
});
process.stderr.on('error', () => {});
process.on('exit', () => {
  if (isOutputLost) process.exitCode ||= 1;
});

const world: CliWorld = {
  env: process.env,
  stdout: sinkOf(process.stdout),
  stderr: sinkOf(process.stderr),
  monotonic: () => performance.now(),
  onInterrupt(interrupted) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupted);
    return () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupted);
    };
  },
  ...(process.stdin.isTTY && process.stderr.isTTY && { ask }),
  exitNow: (code) => process.exit(code),
  async openApi(config) {
    if (config.node !== undefined) {
      const { openPeer } = await import('./peer-api.ts');
      return openPeer(config.node, config);
    }
    const { openEmbeddedNode } = await import('./embedded-api.ts');
    return openEmbeddedNode(config);
  },
  async runDemo(options, tell, signal) {
    const { runDemo } = await import('../node/demo/demo.ts');
    return runDemo(options, tell, signal);
  },
  async runPeer(options, signal) {
    const { runPeer } = await import('../node/peer/run-peer.ts');
    return runPeer(options, signal);
  },
};

process.exitCode = await runProgram(process.argv.slice(2), world);

/** Ctrl-C is a signal as anywhere else; a terminal that is closed answers nothing. */
async function ask(question: string, signal: AbortSignal): Promise<string> {
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await new Promise((answered, failed) => {
      lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
      lines.on('close', () => answered(''));
      signal.addEventListener('abort', () => failed(signal.reason), { once: true });
      lines.question(question, answered);
    });
  } finally {
    lines.close();
  }
}

function sinkOf(stream: NodeJS.WriteStream): TextSink {
  return {
    write: (text) => {
      stream.write(text);
    },
    isTerminal: stream.isTTY === true,
    // 0 is what a terminal says that does not know its width (`script -qc`).
    columns: stream.columns || 80,
  };
}
