// What the demo tells while it runs: plain events that the command line turns into a story. `runDemo` in
// `demo.ts` takes `tell` and calls it; it prints nothing itself.

export interface DemoOptions {
  /** Records written before the disaster. */
  readonly records: number;
  /** Leave servers and repository running and in place, and say where they are. */
  readonly keep: boolean;
  /** A mongod program to use instead of the one that would be found or fetched. */
  readonly mongod?: string;
  /** Three nodes of Cassandra in place of MongoDB. */
  readonly cassandra?: boolean;
}

export type DemoEvent =
  /** A step begins: `write 20,000 records`. The step before it must have ended. */
  | { readonly kind: 'step'; readonly title: string }
  /** Something worth knowing inside a step. */
  | { readonly kind: 'note'; readonly text: string }
  /** The step went well. `text` is what came of it: `20,000 records, 3 collections`. */
  | { readonly kind: 'done'; readonly text: string; readonly seconds: number };

export type TellDemo = (event: DemoEvent) => void;

/** The `--json` output of `codr demo`. */
export interface DemoResult {
  /** Every record that was to come back did, byte for byte. */
  readonly proven: boolean;
  /** RFC 3339: the moment to which was restored, and the moment of the disaster. */
  readonly restoredTo: string;
  readonly disasterAt: string;
  readonly records: number;
  /** From the start of the restore to its proof. */
  readonly restoreSeconds: number;
  readonly seconds: number;
  /** Where things were left; empty unless `keep`. */
  readonly kept: readonly string[];
}
