// Original file: codr/v1/operations.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { CreateOperationRequest as _codr_v1_CreateOperationRequest, CreateOperationRequest__Output as _codr_v1_CreateOperationRequest__Output } from '../../codr/v1/CreateOperationRequest.ts';
import type { ListOperationsRequest as _codr_v1_ListOperationsRequest, ListOperationsRequest__Output as _codr_v1_ListOperationsRequest__Output } from '../../codr/v1/ListOperationsRequest.ts';
import type { Operation as _codr_v1_Operation, Operation__Output as _codr_v1_Operation__Output } from '../../codr/v1/Operation.ts';
import type { OperationEvent as _codr_v1_OperationEvent, OperationEvent__Output as _codr_v1_OperationEvent__Output } from '../../codr/v1/OperationEvent.ts';
import type { OperationList as _codr_v1_OperationList, OperationList__Output as _codr_v1_OperationList__Output } from '../../codr/v1/OperationList.ts';
import type { OperationRequest as _codr_v1_OperationRequest, OperationRequest__Output as _codr_v1_OperationRequest__Output } from '../../codr/v1/OperationRequest.ts';
import type { WatchOperationRequest as _codr_v1_WatchOperationRequest, WatchOperationRequest__Output as _codr_v1_WatchOperationRequest__Output } from '../../codr/v1/WatchOperationRequest.ts';

export interface OperationsClient extends grpc.Client {
  Cancel(argument: _codr_v1_OperationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _codr_v1_OperationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _codr_v1_OperationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  Cancel(argument: _codr_v1_OperationRequest, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  cancel(argument: _codr_v1_OperationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  cancel(argument: _codr_v1_OperationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  cancel(argument: _codr_v1_OperationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  cancel(argument: _codr_v1_OperationRequest, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  
  Create(argument: _codr_v1_CreateOperationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  Create(argument: _codr_v1_CreateOperationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  Create(argument: _codr_v1_CreateOperationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  Create(argument: _codr_v1_CreateOperationRequest, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  create(argument: _codr_v1_CreateOperationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  create(argument: _codr_v1_CreateOperationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  create(argument: _codr_v1_CreateOperationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  create(argument: _codr_v1_CreateOperationRequest, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  
  Get(argument: _codr_v1_OperationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  Get(argument: _codr_v1_OperationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  Get(argument: _codr_v1_OperationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  Get(argument: _codr_v1_OperationRequest, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  get(argument: _codr_v1_OperationRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  get(argument: _codr_v1_OperationRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  get(argument: _codr_v1_OperationRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  get(argument: _codr_v1_OperationRequest, callback: grpc.requestCallback<_codr_v1_Operation__Output>): grpc.ClientUnaryCall;
  
  List(argument: _codr_v1_ListOperationsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_OperationList__Output>): grpc.ClientUnaryCall;
  List(argument: _codr_v1_ListOperationsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_OperationList__Output>): grpc.ClientUnaryCall;
  List(argument: _codr_v1_ListOperationsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_OperationList__Output>): grpc.ClientUnaryCall;
  List(argument: _codr_v1_ListOperationsRequest, callback: grpc.requestCallback<_codr_v1_OperationList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_ListOperationsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_OperationList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_ListOperationsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_OperationList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_ListOperationsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_OperationList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_ListOperationsRequest, callback: grpc.requestCallback<_codr_v1_OperationList__Output>): grpc.ClientUnaryCall;
  
  Watch(argument: _codr_v1_WatchOperationRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_v1_OperationEvent__Output>;
  Watch(argument: _codr_v1_WatchOperationRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_v1_OperationEvent__Output>;
  watch(argument: _codr_v1_WatchOperationRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_v1_OperationEvent__Output>;
  watch(argument: _codr_v1_WatchOperationRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_v1_OperationEvent__Output>;
  
}

export interface OperationsHandlers extends grpc.UntypedServiceImplementation {
  Cancel: grpc.handleUnaryCall<_codr_v1_OperationRequest__Output, _codr_v1_Operation>;
  
  Create: grpc.handleUnaryCall<_codr_v1_CreateOperationRequest__Output, _codr_v1_Operation>;
  
  Get: grpc.handleUnaryCall<_codr_v1_OperationRequest__Output, _codr_v1_Operation>;
  
  List: grpc.handleUnaryCall<_codr_v1_ListOperationsRequest__Output, _codr_v1_OperationList>;
  
  Watch: grpc.handleServerStreamingCall<_codr_v1_WatchOperationRequest__Output, _codr_v1_OperationEvent>;
  
}

export interface OperationsDefinition extends grpc.ServiceDefinition {
  Cancel: MethodDefinition<_codr_v1_OperationRequest, _codr_v1_Operation, _codr_v1_OperationRequest__Output, _codr_v1_Operation__Output>
  Create: MethodDefinition<_codr_v1_CreateOperationRequest, _codr_v1_Operation, _codr_v1_CreateOperationRequest__Output, _codr_v1_Operation__Output>
  Get: MethodDefinition<_codr_v1_OperationRequest, _codr_v1_Operation, _codr_v1_OperationRequest__Output, _codr_v1_Operation__Output>
  List: MethodDefinition<_codr_v1_ListOperationsRequest, _codr_v1_OperationList, _codr_v1_ListOperationsRequest__Output, _codr_v1_OperationList__Output>
  Watch: MethodDefinition<_codr_v1_WatchOperationRequest, _codr_v1_OperationEvent, _codr_v1_WatchOperationRequest__Output, _codr_v1_OperationEvent__Output>
}
