// Words for people: the repository does not know what a connector's bytes mean.
import type { StateView } from '../lineage/state.ts';

/** How one source's things are called. */
export interface SourceWords {
  /** Of the source. */
  readonly name: string;
  /** Namespace of a dataset, by the newest catalog. */
  dataset(id: string): string;
  /** A time of the state, 16 hex digits. */
  time(hex: string): string;
  key(bytes: Uint8Array): string;
}

/** `state` is absent when it cannot be read. */
export type Describe = (lineage: string, state: StateView | undefined) => SourceWords;
