// One row for each method of the API: how it travels, who may call it, whether it changes something, how long
// it may take. Server, client and access control are made of this table; nothing about a method stands elsewhere.
import type { Caller, Role } from './access.ts';
import type { CodrApi } from './codr-api.ts';
import type { ContentsDefinition } from './generated/codr/v1/Contents.ts';
import type { OperationsDefinition } from './generated/codr/v1/Operations.ts';
import type { PointsDefinition } from './generated/codr/v1/Points.ts';
import type { RepositoryDefinition } from './generated/codr/v1/Repository.ts';
import type { RestoresDefinition } from './generated/codr/v1/Restores.ts';
import type { SourcesDefinition } from './generated/codr/v1/Sources.ts';
import { isKnownKind, type Operation, type OperationKind, operationMethods } from './operations.ts';

type Named<
  Service extends string,
  Definition,
> = `${Service}/${Extract<keyof WithoutIndex<Definition>, string>}`;
type WithoutIndex<T> = { [K in keyof T as string extends K ? never : K]: T[K] };

/** Service and method below `codr.v1`. */
export type Rpc =
  | Named<'Contents', ContentsDefinition>
  | Named<'Operations', OperationsDefinition>
  | Named<'Points', PointsDefinition>
  | Named<'Repository', RepositoryDefinition>
  | Named<'Restores', RestoresDefinition>
  | Named<'Sources', SourcesDefinition>;

/** All methods, by their names. */
export type ApiMethod = Exclude<keyof CodrApi, symbol>;

interface Rule {
  /** Any one of them suffices. */
  readonly roles: readonly Role[];
  /** It is written to the audit log. */
  readonly changes: boolean;
}

/** A call that answers at once. */
export interface UnaryRule extends Rule {
  readonly form: 'unary';
  readonly rpc: Rpc;
  /** May be sent again when no answer came. */
  readonly repeatable: boolean;
  readonly deadlineMs: number;
}

/** Long work: an operation is created and watched. */
export interface OperationRule extends Rule {
  readonly form: 'operation';
  readonly kind: OperationKind;
}

const viewers: readonly Role[] = ['viewer', 'operator', 'restorer', 'admin'];
const operators: readonly Role[] = ['operator', 'admin'];
const restorers: readonly Role[] = ['restorer', 'admin'];
const provers: readonly Role[] = ['operator', 'restorer', 'admin'];
const admins: readonly Role[] = ['admin'];

/** A repository of many objects lists for a while; a source or target that is slow answers late. */
const readMs = 2 * 60_000;
const searchMs = 10 * 60_000;

const read = (rpc: Rpc, roles: readonly Role[], deadlineMs = readMs): UnaryRule => ({
  form: 'unary',
  rpc,
  roles,
  deadlineMs,
  changes: false,
  repeatable: true,
});
const change = (rpc: Rpc, roles: readonly Role[], repeatable = false): UnaryRule => ({
  form: 'unary',
  rpc,
  roles,
  deadlineMs: readMs,
  changes: true,
  repeatable,
});
const operation = (kind: OperationKind, roles: readonly Role[]): OperationRule => ({
  form: 'operation',
  kind,
  roles,
  changes: true,
});

export const apiMethods = {
  init: change('Repository/Init', admins),
  status: read('Repository/GetStatus', viewers),
  addSource: operation('source-add', admins),
  checkSource: operation('source-check', operators),
  listSources: read('Sources/List', viewers),
  showSource: read('Sources/Show', viewers),
  limitSource: change('Sources/Limit', operators, true),
  rebaseSource: operation('source-rebase', admins),
  removeSource: operation('source-remove', admins),
  backup: operation('backup', operators),
  points: read('Points/List', viewers),
  checkpoint: operation('checkpoint', operators),
  planRestore: read('Restores/Plan', restorers, searchMs),
  restore: operation('restore', restorers),
  verify: operation('verify', provers),
  listDatasets: read('Contents/ListDatasets', viewers),
  getRecord: read('Contents/GetRecord', restorers, searchMs),
  collect: operation('collect', admins),
  check: operation('check', operators),
  addKey: change('Repository/AddKey', admins),
  removeKey: change('Repository/RemoveKey', admins),
  listKeys: read('Repository/ListKeys', viewers),
  listOperations: read('Operations/List', [...viewers, 'peer']),
  cancelOperation: change('Operations/Cancel', provers, true),
} satisfies Record<ApiMethod, UnaryRule | OperationRule>;

/** Methods of the service Operations. */
export const operationCalls = {
  create: { rpc: 'Operations/Create', deadlineMs: readMs },
  get: { rpc: 'Operations/Get', deadlineMs: readMs },
  list: { rpc: 'Operations/List', deadlineMs: readMs },
  cancel: { rpc: 'Operations/Cancel', deadlineMs: readMs },
  watch: { rpc: 'Operations/Watch' },
} as const satisfies Record<string, { readonly rpc: Rpc; readonly deadlineMs?: number }>;

/** Roles that may look at operations; a peer hands on what it hears. */
export const watchers: readonly Role[] = [...viewers, 'peer'];

/** The row of the method that does a kind of operation. */
export function operationRule(kind: OperationKind): OperationRule {
  return apiMethods[operationMethods[kind]] as OperationRule;
}

/** Roles that may do a kind of operation: to give up what is lost takes more than to look for it. */
export function operationRoles(kind: OperationKind, request: object): readonly Role[] {
  const isRepair = kind === 'check' && 'repair' in request && request.repair === true;
  return isRepair ? admins : operationRule(kind).roles;
}

/** Roles that may end an operation of a kind, whatever it asks for in detail. */
export function rolesOfKind(kind: string): readonly Role[] {
  return isKnownKind(kind) ? operationRule(kind).roles : admins;
}

/**
 * What a caller may see of an operation. What came of it names records by their keys, and causes of errors are whatever
 * a database says: both are for those alone who may do such a thing. A peer hands on what it hears.
 */
export function shownTo({ roles }: Caller, operation: Operation): Operation {
  const may: readonly Role[] = [...rolesOfKind(operation.kind), 'peer'];
  if (may.some((role) => roles.includes(role))) return operation;
  const { result: _, error, ...rest } = operation;
  if (!error) return rest;
  const { factsJson: __, ...told } = error;
  return { ...rest, error: { ...told, causes: [] } };
}

/** These take no request. */
const requestless: ReadonlySet<ApiMethod> = new Set(['listSources', 'listKeys']);

/** Calls a method by its name. */
export async function callApi(
  api: CodrApi,
  method: ApiMethod,
  request: object,
  call: Parameters<CodrApi['listKeys']>[0],
): Promise<object> {
  const run = api[method] as (...args: readonly unknown[]) => Promise<object>;
  return await run.apply(api, requestless.has(method) ? [call] : [request, call]);
}
