// The processes of a simulated world that run: until they are killed, crash or end.
import type { SimulatedProcess } from './simulated-process.ts';

export class RunningProcesses {
  /** Processes that were killed or crashed so far. */
  crashes = 0;
  readonly #trace: (line: string) => void;
  #running: SimulatedProcess[] = [];

  constructor(trace: (line: string) => void) {
    this.#trace = trace;
  }

  get count(): number {
    return this.#running.length;
  }

  add(process: SimulatedProcess): void {
    this.#running.push(process);
  }

  /** One of them; `below` chooses its place among so many. */
  pick(below: (count: number) => number): SimulatedProcess | undefined {
    return this.#running[below(this.#running.length || 1)];
  }

  kill(process: SimulatedProcess): void {
    this.#trace(`process ${process.pid} is killed`);
    process.kill();
    this.crashes++;
    this.#remove(process);
  }

  killAll(): void {
    for (const process of this.#running) this.kill(process);
  }

  /** Lets go of those that ended, and gives them to `judge`, which may throw. */
  collectEnded(judge: (process: SimulatedProcess) => void): void {
    for (const process of this.#running) {
      if (process.store.crashed && !process.ending) this.kill(process);
      if (!process.ending) continue;
      this.#remove(process);
      judge(process);
    }
  }

  /** Lets go of all, which must have ended. */
  clear(): void {
    this.#running = [];
  }

  #remove(process: SimulatedProcess): void {
    this.#running = this.#running.filter((other) => other !== process);
  }
}
