// A cluster of one: the whole of CODR in this process, behind the interface that remote peers serve too.
import type * as api from '../api/codr-api.ts';
import { CodrError } from '../base/error.ts';
import { checkpoint } from './calls/checkpoint-call.ts';
import { backup, getRecord, listDatasets, points } from './calls/history-calls.ts';
import { addKey, check, collect, init, listKeys, removeKey } from './calls/repository-calls.ts';
import { planRestore, restore, verify } from './calls/restore-calls.ts';
import {
  addSource,
  checkSource,
  limitSource,
  listSources,
  rebaseSource,
  removeSource,
  showSource,
} from './calls/source-calls.ts';
import { status } from './calls/status-call.ts';
import type { Config } from './config.ts';
import { NodeContext, type NodeWorld } from './node-context.ts';

export class EmbeddedNode implements api.CodrApi {
  readonly #node: NodeContext;

  private constructor(node: NodeContext) {
    this.#node = node;
  }

  /** Opens nothing yet: the repository is opened when it is first needed. */
  static async open(config: Config, world: NodeWorld): Promise<EmbeddedNode> {
    return new EmbeddedNode(new NodeContext(config, world, process.env));
  }

  /** Over what a peer has opened; whoever opened it disposes of it. */
  static over(node: NodeContext): EmbeddedNode {
    return new EmbeddedNode(node);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node[Symbol.asyncDispose]();
  }

  init = (request: api.InitRequest, call: api.Call): Promise<api.InitResult> =>
    init(this.#node, request, call);
  status = (_: api.StatusRequest, call: api.Call): Promise<api.Status> => status(this.#node, call);
  addSource = (request: api.AddSourceRequest, call: api.Call): Promise<api.SourceCheck> =>
    addSource(this.#node, request, call);
  checkSource = (request: api.SourceRequest, call: api.Call): Promise<api.SourceCheck> =>
    checkSource(this.#node, request, call);
  listSources = (_: api.Call): Promise<api.SourceList> => listSources(this.#node);
  showSource = (request: api.SourceRequest): Promise<api.SourceDescription> =>
    showSource(this.#node, request);
  limitSource = (request: api.LimitSourceRequest): Promise<api.SourceDescription> =>
    limitSource(this.#node, request);
  rebaseSource = (request: api.SourceRequest, call: api.Call): Promise<api.SourceRebased> =>
    rebaseSource(this.#node, request, call);
  removeSource = (request: api.SourceRequest, call: api.Call): Promise<api.SourceRemoved> =>
    removeSource(this.#node, request, call);
  backup = (request: api.BackupRequest, call: api.Call): Promise<api.BackupResult> =>
    backup(this.#node, request, call);
  checkpoint = (request: api.CheckpointRequest, call: api.Call): Promise<api.CheckpointResult> =>
    checkpoint(this.#node, request, call);
  points = (request: api.SourceRequest): Promise<api.Points> => points(this.#node, request);
  planRestore = (request: api.RestoreRequest, call: api.Call): Promise<api.RestorePlan> =>
    planRestore(this.#node, request, call);
  restore = (request: api.RestoreRequest, call: api.Call): Promise<api.RestoreResult> =>
    restore(this.#node, request, call);
  verify = (request: api.VerifyRequest, call: api.Call): Promise<api.VerifyResult> =>
    verify(this.#node, request, call);
  listDatasets = (request: api.ListRequest): Promise<api.DatasetList> =>
    listDatasets(this.#node, request);
  getRecord = (request: api.GetRequest): Promise<api.RecordResult> =>
    getRecord(this.#node, request);
  collect = (request: api.CollectRequest, call: api.Call): Promise<api.CollectResult> =>
    collect(this.#node, request, call);
  check = (request: api.CheckRequest, call: api.Call): Promise<api.CheckResult> =>
    check(this.#node, request, call);
  addKey = (request: api.AddKeyRequest): Promise<api.KeySlot> => addKey(this.#node, request);
  removeKey = (request: api.RemoveKeyRequest): Promise<api.KeySlot> =>
    removeKey(this.#node, request);
  listKeys = (_: api.Call): Promise<api.KeyList> => listKeys(this.#node);
  // Its work is that of the program it is part of, and ends with it.
  listOperations = async (_: api.ListOperationsRequest): Promise<api.OperationList> => ({
    operations: [],
  });
  cancelOperation = async ({
    id,
  }: api.CancelOperationRequest): Promise<api.OperationDescription> => {
    throw new CodrError('operation-unknown', `no operation has the id ${id}`, {
      object: id,
      remedy: 'name the peer that runs it with --node; a command of this machine ends by Ctrl-C',
    });
  };
}
