// Handlers of all calls that answer at once, made of the table of methods.
import type { handleUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Caller } from '../access.ts';
import { type ApiMethod, apiMethods, callApi, type UnaryRule } from '../api-methods.ts';
import type { Call, CodrApi, Status } from '../codr-api.ts';
import { isEnded, type OperationStore } from '../operations.ts';
import type { Gate } from './gate.ts';
import { fromWire, toWire } from './mapper.ts';
import { methodNamed, type RpcMethod } from './protos.ts';
import { withDefaults } from './request-defaults.ts';

interface Served {
  readonly api: CodrApi;
  readonly operations: OperationStore;
}

type Work = (request: object, call: Call, caller: Caller) => Promise<object>;

/** By the names of their services; those of Operations are left to operation-handlers.ts. */
export function unaryHandlers(
  gate: Gate,
  served: Served,
): Record<string, UntypedServiceImplementation> {
  const services: Record<string, UntypedServiceImplementation> = {};
  for (const [name, rule] of Object.entries(apiMethods) as [ApiMethod, UnaryRule][]) {
    if (rule.form !== 'unary' || rule.rpc.startsWith('Operations/')) continue;
    const [service, method] = rule.rpc.split('/') as [string, string];
    const full = `codr.v1.${service}`;
    const handler = unaryHandler(gate, name, rule, workOf(name, served));
    services[full] = { ...services[full], [method]: handler };
  }
  return services;
}

function workOf(name: ApiMethod, { api, operations }: Served): Work {
  if (name !== 'status') return (request, call) => callApi(api, name, request, call);
  return async (request, call) => {
    const status = (await callApi(api, name, request, call)) as Status;
    const running = (await operations.list('running')).filter((one) => !isEnded(one));
    const lines = running.map(({ id, kind, source, state, progress }) => ({
      id,
      kind,
      ...(source !== undefined && { source }),
      state,
      ...(progress && { progress }),
    }));
    return { ...status, operations: lines };
  };
}

/** As the command line has it, noun first: `addKey` → `key-add`. */
function actionOf(method: string): string {
  const nounFirst = method.replace(/^([a-z]+)([A-Z]\w*)$/, (_, verb, noun) => `${noun}-${verb}`);
  return nounFirst.toLowerCase();
}

/** One call: read, judged, carried out, answered. */
export function unaryHandler(
  gate: Gate,
  name: string,
  rule: Pick<UnaryRule, 'rpc' | 'roles' | 'changes'>,
  work: Work,
): handleUnaryCall<object, object> {
  const rpc = methodNamed(rule.rpc);
  const { roles, changes } = rule;
  const action = actionOf(name);
  return (call, callback) => {
    const request = read(rpc, call.request);
    const { source, id } = Object(request.plain) as { source?: string; id?: string };
    const operation = rpc.path.startsWith('/codr.v1.Operations/') ? id : undefined;
    const deed = { action, roles, changes, source, operation };
    gate
      .pass(
        call,
        () => deed,
        async ({ caller, signal }) => {
          const result = await work(request.orThrow(), { signal }, caller);
          return toWire(rpc.resultName, result);
        },
      )
      .then(
        (wire) => callback(null, wire),
        (status) => callback(status),
      );
  };
}

/** A request that cannot be read is told only to a caller who may ask. */
export function read(
  { requestName }: RpcMethod,
  wire: object,
): { readonly plain: object | undefined; readonly orThrow: () => object } {
  try {
    const plain = withDefaults(requestName, fromWire(requestName, wire));
    return { plain, orThrow: () => plain };
  } catch (error) {
    const orThrow = (): never => {
      throw error;
    };
    return { plain: undefined, orThrow };
  }
}
