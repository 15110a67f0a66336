// What an undecided prepared transaction is called for people: by whom waits for it, and by the status.
import type { Connector } from '../../connector/connector.ts';
import type { UndecidedTransaction } from '../../connector/log-doubt.ts';
import { timeFromHex } from '../../model/time.ts';
import type { StreamRecord } from '../../repository/lineage/records.ts';
import { describeTime } from '../read/point.ts';

/** `the transaction lsid 6f… txnNumber 7, prepared at … and undecided`. */
export function describeUndecided(
  connector: Connector,
  { name, preparedAt }: UndecidedTransaction,
): string {
  return `the transaction ${name}, prepared at ${describeTime(connector, preparedAt)} and undecided`;
}

/** What held the stream back when it was last committed. */
export function undecidedOf({ undecided }: StreamRecord): UndecidedTransaction | undefined {
  return undecided && { name: undecided.name, preparedAt: timeFromHex(undecided.preparedAt) };
}
