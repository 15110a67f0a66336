// Operations between the store's form and the messages: a kind is the name of a field there.

import { assert } from '../../base/assert.ts';
import { CodrError } from '../../base/error.ts';
import {
  type Operation,
  type OperationKind,
  type OperationRequest,
  operationMethods,
} from '../operations.ts';
import { withDefaults } from './request-defaults.ts';

const kinds = Object.keys(operationMethods) as OperationKind[];

/** `source-add` → `sourceAdd`. */
const fieldOf = (kind: string): string =>
  kind.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());

const kindOf = new Map(kinds.map((kind) => [fieldOf(kind), kind]));

/** The messages that ask for the kinds. */
const requestNames: Readonly<Record<OperationKind, string>> = {
  backup: 'BackupRequest',
  restore: 'RestoreRequest',
  verify: 'VerifyRequest',
  checkpoint: 'CheckpointRequest',
  collect: 'CollectRequest',
  check: 'CheckRequest',
  'source-add': 'AddSourceRequest',
  'source-check': 'SourceRequest',
  'source-rebase': 'SourceRequest',
  'source-remove': 'SourceRequest',
};

/** A request to create an operation, as plain objects of the mapper. */
export function createMessage(
  kind: OperationKind,
  request: OperationRequest,
  idempotencyKey: string,
): object {
  return { idempotencyKey, [fieldOf(kind)]: request };
}

export interface Order {
  readonly kind: OperationKind;
  readonly request: OperationRequest;
  readonly idempotencyKey: string;
}

/** Errors: `usage` when nothing is asked for. */
export function orderOf(message: object): Order {
  const { idempotencyKey = '', ...rest } = message as Record<string, unknown>;
  for (const [field, request] of Object.entries(rest)) {
    const kind = kindOf.get(field);
    assert(kind, `${field} is a kind of operation`);
    const meant = withDefaults(requestNames[kind], request as object) as OperationRequest;
    return { kind, request: meant, idempotencyKey: String(idempotencyKey) };
  }
  throw new CodrError('usage', 'the request names no work', {
    remedy: 'set one of its fields, for example backup',
  });
}

export function operationMessage({ result, ...rest }: Operation): object {
  return { ...rest, ...(result && { result: { [fieldOf(rest.kind)]: result } }) };
}

export function operationOf(message: object): Operation {
  const { result, ...rest } = message as Operation & { result?: Record<string, unknown> };
  const inner = result && Object.values(result)[0];
  return { ...rest, ...(inner !== undefined && { result: inner }) } as Operation;
}

/** Without their results. */
export function operationsMessage(
  operations: readonly Operation[],
  options: { readonly running: boolean },
): object {
  const wanted = operations.filter(({ state }) => !options.running || state === 'running');
  return { operations: wanted.map(({ result: _, ...rest }) => rest) };
}

export function operationsOf(message: object): readonly Operation[] {
  return (message as { readonly operations: readonly object[] }).operations.map(operationOf);
}
