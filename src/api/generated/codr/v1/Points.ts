// Original file: codr/v1/sources.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { PointList as _codr_v1_PointList, PointList__Output as _codr_v1_PointList__Output } from '../../codr/v1/PointList.ts';
import type { SourceRequest as _codr_v1_SourceRequest, SourceRequest__Output as _codr_v1_SourceRequest__Output } from '../../codr/v1/SourceRequest.ts';

export interface PointsClient extends grpc.Client {
  List(argument: _codr_v1_SourceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_PointList__Output>): grpc.ClientUnaryCall;
  List(argument: _codr_v1_SourceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_PointList__Output>): grpc.ClientUnaryCall;
  List(argument: _codr_v1_SourceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_PointList__Output>): grpc.ClientUnaryCall;
  List(argument: _codr_v1_SourceRequest, callback: grpc.requestCallback<_codr_v1_PointList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_SourceRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_PointList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_SourceRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_PointList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_SourceRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_PointList__Output>): grpc.ClientUnaryCall;
  list(argument: _codr_v1_SourceRequest, callback: grpc.requestCallback<_codr_v1_PointList__Output>): grpc.ClientUnaryCall;
  
}

export interface PointsHandlers extends grpc.UntypedServiceImplementation {
  List: grpc.handleUnaryCall<_codr_v1_SourceRequest__Output, _codr_v1_PointList>;
  
}

export interface PointsDefinition extends grpc.ServiceDefinition {
  List: MethodDefinition<_codr_v1_SourceRequest, _codr_v1_PointList, _codr_v1_SourceRequest__Output, _codr_v1_PointList__Output>
}
