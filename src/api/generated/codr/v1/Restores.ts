// Original file: codr/v1/restores.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { RestorePlan as _codr_v1_RestorePlan, RestorePlan__Output as _codr_v1_RestorePlan__Output } from '../../codr/v1/RestorePlan.ts';
import type { RestoreRequest as _codr_v1_RestoreRequest, RestoreRequest__Output as _codr_v1_RestoreRequest__Output } from '../../codr/v1/RestoreRequest.ts';

export interface RestoresClient extends grpc.Client {
  Plan(argument: _codr_v1_RestoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  Plan(argument: _codr_v1_RestoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  Plan(argument: _codr_v1_RestoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  Plan(argument: _codr_v1_RestoreRequest, callback: grpc.requestCallback<_codr_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  plan(argument: _codr_v1_RestoreRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  plan(argument: _codr_v1_RestoreRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  plan(argument: _codr_v1_RestoreRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  plan(argument: _codr_v1_RestoreRequest, callback: grpc.requestCallback<_codr_v1_RestorePlan__Output>): grpc.ClientUnaryCall;
  
}

export interface RestoresHandlers extends grpc.UntypedServiceImplementation {
  Plan: grpc.handleUnaryCall<_codr_v1_RestoreRequest__Output, _codr_v1_RestorePlan>;
  
}

export interface RestoresDefinition extends grpc.ServiceDefinition {
  Plan: MethodDefinition<_codr_v1_RestoreRequest, _codr_v1_RestorePlan, _codr_v1_RestoreRequest__Output, _codr_v1_RestorePlan__Output>
}
