// Original file: codr/v1/sources.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { LimitSourceRequest as _codr_v1_LimitSourceRequest, LimitSourceRequest__Output as _codr_v1_LimitSourceRequest__Output } from '../../codr/v1/LimitSourceRequest.ts';
import type { ListSourcesRequest as _codr_v1_ListSourcesRequest, ListSourcesRequest__Output as _codr_v1_ListSourcesRequest__Output } from '../../codr/v1/ListSourcesRequest.ts';
import type { SourceDescription as _codr_v1_SourceDescription, SourceDescription__Output as _codr_v1_SourceDescription__Output } from '../../codr/v1/SourceDescription.ts';
import type { SourceList as _codr_v1_SourceList, SourceList__Output as _codr_v1_SourceList__Output } from '../../codr/v1/SourceList.ts';
import type { SourceRequest as _codr_v1_SourceRequest, SourceRequest__Output as _codr_v1_SourceRequest__Output } from '../../codr/v1/SourceRequest.ts';

export interface SourcesClient extends grpc.Client {
  Limit(argument: _codr_v1_LimitSourceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  Limit(argument: _codr_v1_LimitSourceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  Limit(argument: _codr_v1_LimitSourceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  Limit(argument: _codr_v1_LimitSourceRequest, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  limit(argument: _codr_v1_LimitSourceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  limit(argument: _codr_v1_LimitSourceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  limit(argument: _codr_v1_LimitSourceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  limit(argument: _codr_v1_LimitSourceRequest, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  
  List(argument: _codr_v1_ListSourcesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceList__Output>): grpc.ClientUnaryCall;
  List(argument: _codr_v1_ListSourcesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_SourceList__Output>): grpc.ClientUnaryCall;
  List(argument: _codr_v1_ListSourcesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceList__Output>): grpc.ClientUnaryCall;
  List(argument: _codr_v1_ListSourcesRequest, callback: grpc.requestCallback<_codr_v1_SourceList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_ListSourcesRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_ListSourcesRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_SourceList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_ListSourcesRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_ListSourcesRequest, callback: grpc.requestCallback<_codr_v1_SourceList__Output>): grpc.ClientUnaryCall;
  
  Show(argument: _codr_v1_SourceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  Show(argument: _codr_v1_SourceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  Show(argument: _codr_v1_SourceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  Show(argument: _codr_v1_SourceRequest, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  show(argument: _codr_v1_SourceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  show(argument: _codr_v1_SourceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  show(argument: _codr_v1_SourceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  show(argument: _codr_v1_SourceRequest, callback: grpc.requestCallback<_codr_v1_SourceDescription__Output>): grpc.ClientUnaryCall;
  
}

export interface SourcesHandlers extends grpc.UntypedServiceImplementation {
  Limit: grpc.handleUnaryCall<_codr_v1_LimitSourceRequest__Output, _codr_v1_SourceDescription>;
  
  List: grpc.handleUnaryCall<_codr_v1_ListSourcesRequest__Output, _codr_v1_SourceList>;
  
  Show: grpc.handleUnaryCall<_codr_v1_SourceRequest__Output, _codr_v1_SourceDescription>;
  
}

export interface SourcesDefinition extends grpc.ServiceDefinition {
  Limit: MethodDefinition<_codr_v1_LimitSourceRequest, _codr_v1_SourceDescription, _codr_v1_LimitSourceRequest__Output, _codr_v1_SourceDescription__Output>
  List: MethodDefinition<_codr_v1_ListSourcesRequest, _codr_v1_SourceList, _codr_v1_ListSourcesRequest__Output, _codr_v1_SourceList__Output>
  Show: MethodDefinition<_codr_v1_SourceRequest, _codr_v1_SourceDescription, _codr_v1_SourceRequest__Output, _codr_v1_SourceDescription__Output>
}
