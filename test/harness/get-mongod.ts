// The mongod program of this test process, found or fetched once. Run as a program it prints its path:
// `node test/harness/get-mongod.ts`.
import { findMongod, type MongodProgram } from '../../src/node/demo/mongod-program.ts';

let found: Promise<MongodProgram> | undefined;

/** Rejects with what was tried and what to do when there is none. */
export function mongod(): Promise<MongodProgram> {
  found ??= findMongod(process.env);
  return found;
}

if (import.meta.main) {
  const program = await mongod();
  process.stdout.write(`${program.path}\n`);
}
