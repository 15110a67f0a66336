// Which life of the store this coordinator works in. The cluster id of etcd is no name for it: an etcd that
// is wiped and started with the same flags has the same id, counts its revisions from 1 again, and would
// take old guards for fulfilled. So the first coordinator puts a random identity, and every read and
// every transaction of all of them asks, within the same request, whether it is still there.
import type { ICompare, IRequestOp, IResponseHeader, ITxnRequest, ITxnResponse } from 'etcd3';
import { assert } from '../../base/assert.ts';
import { CodrError } from '../../base/error.ts';
import type { EtcdChannel } from './etcd-channel.ts';
import type { EtcdKeys } from './etcd-keys.ts';
import type { EtcdLink } from './etcd-link.ts';

export class EtcdLife {
  /** The id that etcd gives itself, and ours. */
  readonly clusterId: string;
  /** Aborted with `coordinator-replaced`. */
  readonly ended: AbortSignal;
  readonly #keys: EtcdKeys;
  readonly #identity: Buffer;
  readonly #etcdId: string;
  readonly #end = new AbortController();
  #revisionSeen = 0;

  private constructor(keys: EtcdKeys, identity: Buffer, header: IResponseHeader) {
    this.#keys = keys;
    this.#identity = identity;
    this.#etcdId = header.cluster_id;
    this.clusterId = `${header.cluster_id}-${identity}`;
    this.ended = this.#end.signal;
    this.#revisionSeen = revisionOf(header.revision);
  }

  /** Joins the life that is there, or begins one that is called `identity`. */
  static async join(link: EtcdLink, keys: EtcdKeys, identity: string): Promise<EtcdLife> {
    const key = keys.identity;
    const answer = await link.call((channel) =>
      channel.kv.txn({
        compare: [{ result: 'Equal', target: 'Create', key, create_revision: 0 }],
        success: [{ request_put: { key, value: Buffer.from(identity) } }],
        failure: [{ request_range: { key } }],
      }),
    );
    const known = answer.responses[0]?.response_range?.kvs[0]?.value;
    return new EtcdLife(keys, known ?? Buffer.from(identity), answer.header);
  }

  /**
   * A transaction within this life. What stands in `failure` is answered after one operation of the life's
   * own: use `failed(answer, i)`. Errors: `coordinator-replaced`.
   */
  async transact(channel: EtcdChannel, request: ITxnRequest): Promise<ITxnResponse> {
    this.ended.throwIfAborted();
    const floor = this.#revisionSeen;
    const key = this.#keys.identity;
    const same: ICompare = { result: 'Equal', target: 'Value', key, value: this.#identity };
    const ask: IRequestOp = { request_range: { key } };
    const answer = await channel.kv.txn({
      compare: [same, ...(request.compare ?? [])],
      success: request.success ?? [],
      failure: [ask, ...(request.failure ?? [])],
    });
    const revision = revisionOf(answer.header.revision);
    const why = this.#setBack(answer.header, revision, floor);
    if (why) {
      // The keys are the old ones and revisions repeat. Without its identity the store begins another life,
      // for everybody.
      const forget: IRequestOp = { request_delete_range: { key } };
      await channel.kv.txn({ compare: [same], success: [forget], failure: [] });
      this.#replaced(why);
    }
    this.#revisionSeen = Math.max(this.#revisionSeen, revision);
    if (!answer.succeeded) {
      const found = answer.responses[0]?.response_range?.kvs[0]?.value;
      if (!found?.equals(this.#identity)) {
        this.#replaced(found ? `its identity is ${found} now` : 'it has lost its identity');
      }
    }
    return answer;
  }

  /** Says so when the store was restored from a snapshot; `floor`: what had been seen before the call. */
  #setBack(header: IResponseHeader, revision: number, floor: number): string | undefined {
    if (revision < floor) return `its revision fell from ${floor} to ${revision}`;
    if (header.cluster_id === this.#etcdId) return undefined;
    return `it calls itself ${header.cluster_id} and not ${this.#etcdId} any more`;
  }

  #replaced(why: string): never {
    const message = `etcd was wiped or restored while CODR ran: ${why}, was ${this.#identity}`;
    const error = new CodrError('coordinator-replaced', message, {
      object: `${this.#keys.identity}`,
    });
    this.#end.abort(error);
    throw this.#end.signal.reason;
  }
}

/** The answer to `failure[index]` of a request to {@link EtcdLife.transact}. */
export function failed(answer: ITxnResponse, index: number): ITxnResponse['responses'][number] {
  assert(!answer.succeeded, 'only a failed transaction has answers for its failure');
  const response = answer.responses[index + 1];
  assert(response, `etcd must answer operation ${index} of a transaction`);
  return response;
}

/** etcd's numbers come as text; beyond 2^53 they would not be told apart. */
export function revisionOf(text: string): number {
  const revision = Number(text);
  assert(Number.isSafeInteger(revision), `the revision ${text} of etcd must be below 2^53`);
  return revision;
}
