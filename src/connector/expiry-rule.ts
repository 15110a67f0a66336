// A part of the port: which records a database deletes by itself.
import type { DataRecord } from '../model/record.ts';

/** Which records a database deletes by itself at one time. */
export interface ExpiryRule {
  isExpired(record: DataRecord): boolean;
  /** False: it names all of them, and perhaps others that stay. */
  readonly exact: boolean;
}
