// The messages and services of `proto/`, loaded once. The files travel with the package; their types in
// src/api/generated are made by `npm run docs` and compared by `npm run check`.
import { fileURLToPath } from 'node:url';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { type EnumTypeDefinition, loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import { assert } from '../../base/assert.ts';

/** The folder that holds `codr/v1`. */
export const protoFolder = fileURLToPath(new URL('../../../proto', import.meta.url));

export const publicProtos = ['common', 'sources', 'repository', 'restores', 'operations'].map(
  (name) => `codr/v1/${name}.proto`,
);

/** Names as in the files: for reflection. Otherwise in camel case, as the API has them. */
export function loadProtos(files: readonly string[], options: { readonly keepCase: boolean }) {
  return loadSync([...files], {
    ...options,
    includeDirs: [protoFolder],
    // Without defaults an empty list would arrive as undefined.
    defaults: true,
    longs: String,
    enums: String,
    oneofs: true,
  });
}

const peerProtos = ['peer', 'work', 'files'].map((name) => `codr/peer/v1/${name}.proto`);
const loaded = loadProtos([...publicProtos, ...peerProtos], { keepCase: false });

/** A message or an enumeration by its name in an enclosing scope. */
export function typeNamed(
  name: string,
  scope: string,
): MessageTypeDefinition<object, object> | EnumTypeDefinition | undefined {
  const parts = scope.split('.');
  for (let i = parts.length; i >= 0; i--) {
    const found = loaded[[...parts.slice(0, i), name].join('.')];
    if (found && 'format' in found) return found as MessageTypeDefinition<object, object>;
  }
  return undefined;
}

/** `codr.v1.Sources`. */
export function serviceNamed(name: string): ServiceDefinition {
  const found = loaded[name];
  assert(found && !('format' in found), `${name} is a service`);
  return found as ServiceDefinition;
}

/** One method with the names of its messages. */
export interface RpcMethod extends MethodDefinition<object, object> {
  /** Full names: `codr.v1.SourceRequest`. */
  readonly requestName: string;
  readonly resultName: string;
}

/** `Sources/List`, below `codr.v1` unless said. */
export function methodNamed(rpc: string, scope = 'codr.v1'): RpcMethod {
  const [service = '', method = ''] = rpc.split('/');
  const definition = serviceNamed(`${scope}.${service}`)[method];
  assert(definition, `${rpc} is a method`);
  const { requestType, responseType } = definition as unknown as {
    readonly requestType: { readonly type: { readonly name: string } };
    readonly responseType: { readonly type: { readonly name: string } };
  };
  return {
    ...(definition as MethodDefinition<object, object>),
    requestName: `${scope}.${requestType.type.name}`,
    resultName: `${scope}.${responseType.type.name}`,
  };
}
