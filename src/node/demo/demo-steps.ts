// Tells the steps of the demo with their times, and writes numbers for people.
import type { TellDemo } from './demo-story.ts';

export class Steps {
  readonly #tell: TellDemo;
  readonly #signal: AbortSignal;

  constructor(tell: TellDemo, signal: AbortSignal) {
    this.#tell = tell;
    this.#signal = signal;
  }

  /**
   * Runs one step; `text` says what came of it. Rejects with the signal's reason before it, never after:
   * the caller gets what the step opened.
   */
  async step<T>(title: string, work: () => Promise<T>, text: (result: T) => string): Promise<T> {
    this.#signal.throwIfAborted();
    this.#tell({ kind: 'step', title });
    const begun = performance.now();
    const result = await work();
    this.#tell({ kind: 'done', text: text(result), seconds: (performance.now() - begun) / 1000 });
    return result;
  }

  note(text: string): void {
    this.#tell({ kind: 'note', text });
  }
}

export const asCount = (count: number): string => count.toLocaleString('en-US');
export const asMiB = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
