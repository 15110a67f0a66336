// One guarded transaction of the port, done once or not at all, and told truthfully: etcd-receipts.ts says how.
import type { ICompare, IKeyValue, IRequestOp, ITxnRequest } from 'etcd3';
import { CodrError } from '../../base/error.ts';
import type { Guard, Operation, Outcome } from '../coordinator.ts';
import type { EtcdChannel } from './etcd-channel.ts';
import { isLeaseGone } from './etcd-error.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import { EtcdLease } from './etcd-lease.ts';
import { type EtcdLife, failed, revisionOf } from './etcd-life.ts';
import type { EtcdLink, Tries } from './etcd-link.ts';
import type { EtcdReceipts, Receipt } from './etcd-receipts.ts';

/** Receipts that may turn out to be gone, one after another, before anything was tried in earnest. */
const receiptsMax = 5;

interface World {
  readonly life: EtcdLife;
  readonly keys: EtcdKeys;
  readonly kv: EtcdLink;
  readonly receipts: EtcdReceipts;
}

/** What a look at the receipt says of the transaction. */
type Finding =
  | { readonly is: 'done'; readonly revision: number }
  /** Nothing happened, since a guard or a lease of the caller did not hold. */
  | { readonly is: 'refused'; readonly leaseGone: boolean }
  /** The receipt is gone. */
  | { readonly is: 'unknown' };

/**
 * Errors: `lease-lost` when a lease of an operation has ended; `transaction-in-doubt` when it may have
 * happened or may still do so; any other error means that nothing happened.
 */
export async function transactOnce(
  world: World,
  guards: readonly Guard[],
  operations: readonly Operation[],
): Promise<Outcome> {
  const { life, keys, kv, receipts } = world;
  for (let i = 0; i < receiptsMax; i++) {
    const receipt = await receipts.take();
    const number = receipts.number();
    const tries: Tries = { inDoubt: false };
    let finding: Finding;
    try {
      const request = requestOf(keys, guards, operations, receipt, number);
      finding = await kv.call((channel) => send(life, channel, request, receipt, number), tries);
    } catch (error) {
      throw tries.inDoubt ? inDoubt(operations, error) : error;
    }
    if (finding.is === 'done') {
      await receipts.give(receipt, finding.revision);
      return { done: true, revision: finding.revision };
    }
    if (finding.is === 'refused') {
      await receipts.give(receipt, receipt.revision);
      if (finding.leaseGone) throw leaseLost(operations);
      return { done: false };
    }
    await receipts.forget(receipt);
    if (tries.inDoubt) throw inDoubt(operations, undefined);
  }
  const message = `etcd lost ${receiptsMax} leases as soon as it had granted them`;
  throw new CodrError('coordinator-unreachable', message, { object: keys.prefix });
}

async function send(
  life: EtcdLife,
  channel: EtcdChannel,
  request: ITxnRequest,
  receipt: Receipt,
  number: Buffer,
): Promise<Finding> {
  const look = { request_range: { key: receipt.key } };
  try {
    const answer = await life.transact(channel, { ...request, failure: [look] });
    if (answer.succeeded) return { is: 'done', revision: revisionOf(answer.header.revision) };
    const found = failed(answer, 0).response_range.kvs[0];
    return findingOf(found, receipt, number, { leaseGone: false });
  } catch (error) {
    if (!isLeaseGone(error)) throw error;
    // A lease of the caller, or that of the receipt: the receipt tells which.
    const answer = await life.transact(channel, { success: [look] });
    const found = answer.responses[0]?.response_range.kvs[0];
    return findingOf(found, receipt, number, { leaseGone: true });
  }
}

function findingOf(
  found: IKeyValue | undefined,
  receipt: Receipt,
  number: Buffer,
  { leaseGone }: { leaseGone: boolean },
): Finding {
  if (!found) return { is: 'unknown' };
  const revision = revisionOf(found.mod_revision);
  if (found.value.equals(number)) return { is: 'done', revision };
  return revision === receipt.revision ? { is: 'refused', leaseGone } : { is: 'unknown' };
}

function requestOf(
  keys: EtcdKeys,
  guards: readonly Guard[],
  operations: readonly Operation[],
  receipt: Receipt,
  number: Buffer,
): ITxnRequest {
  const unchanged: Guard = { key: '', modifyRevision: receipt.revision };
  const mark = { key: receipt.key, value: number, lease: receipt.leaseId };
  return {
    compare: [
      { ...comparisonOf(keys, unchanged), key: receipt.key },
      ...guards.map((guard) => comparisonOf(keys, guard)),
    ],
    success: [
      { request_put: mark },
      ...operations.map((operation) => requestOperation(keys, operation)),
    ],
  };
}

/** The condition of a guard; etcd takes the revisions of a missing key for 0, as the port does. */
export function comparisonOf(keys: EtcdKeys, guard: Guard): ICompare {
  const key = keys.entry(guard.key);
  if ('createRevision' in guard) {
    return { result: 'Equal', target: 'Create', key, create_revision: guard.createRevision };
  }
  return { result: 'Equal', target: 'Mod', key, mod_revision: guard.modifyRevision };
}

function requestOperation(keys: EtcdKeys, operation: Operation): IRequestOp {
  if ('delete' in operation) return { request_delete_range: { key: keys.entry(operation.delete) } };
  const { put, value, lease } = operation;
  const entry = { key: keys.entry(put), value: Buffer.from(value) };
  return { request_put: { ...entry, ...(lease && { lease: lease.id }) } };
}

function namesOf(operations: readonly Operation[]): string {
  const names = operations.map((operation) =>
    'put' in operation ? operation.put : operation.delete,
  );
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return `${names.slice(0, 3).join(', ')}${more}`;
}

function inDoubt(operations: readonly Operation[], cause: unknown): CodrError {
  const names = namesOf(operations);
  const message = `whether ${names} changed in etcd is not known: no answer came`;
  return new CodrError('transaction-in-doubt', message, { object: names, cause });
}

function leaseLost(operations: readonly Operation[]): CodrError {
  const leases = new Set(
    operations.flatMap((operation) => ('put' in operation && operation.lease) || []),
  );
  const ids = [...leases].map(({ id }) => id).join(', ');
  // Of several, their keep-alives find out which.
  const [lease] = leases;
  if (leases.size === 1 && lease instanceof EtcdLease) lease.lose('is not known to etcd any more');
  return new CodrError('lease-lost', `the lease ${ids} has ended`, { object: ids });
}
