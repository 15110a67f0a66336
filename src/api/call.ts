// What all calls of the API share: moments of a source, progress, the call itself.

/** A moment of a source in its own form and as a wall clock shows it. */
export interface Moment {
  /** The source's own form: `1763816700:42` for MongoDB. */
  readonly time: string;
  /** RFC 3339 in UTC. */
  readonly wall: string;
}

/** Every moment between both, both included. */
export interface Span {
  readonly from: Moment;
  readonly to: Moment;
}

/** What long work reports. Counts never fall within one phase. */
export interface Progress {
  /** One or two words for people: `base copy`, `following`, `loading`, `indexes`, `proof`. */
  readonly phase: string;
  readonly records: number;
  readonly bytes: number;
  readonly recordsTotal?: number;
  readonly bytesTotal?: number;
  /** A backup: bytes written to the repository since it began, over all phases. */
  readonly bytesStored?: number;
  /** Since the phase began; bytes / seconds is the rate. */
  readonly seconds: number;
  readonly etaSeconds?: number;
  /** What happens right now: a namespace, a commit, a warning. */
  readonly note?: string;
  /** Lines for people that are said once, the same in several reports: of a restore, what cannot be kept. */
  readonly told?: string;
}

/** Passed beside every request. */
export interface Call {
  /** Ends the work at the next safe place; what was committed stays, the same request resumes it. */
  readonly signal: AbortSignal;
  /** Called at most a few times a second; must not throw. */
  readonly progress?: (progress: Progress) => void;
  /** Of an operation that another process goes on with when this one is lost. */
  readonly handover?: Handover;
}

/** What work leaves for whoever begins it again elsewhere. Survives JSON. */
export interface Handover {
  /** What an earlier run has left; undefined: nothing. */
  read(): Promise<unknown>;
  /** Errors: `lease-lost`, when another process goes on with the work already; those of where it is kept. */
  write(value: unknown): Promise<void>;
}
