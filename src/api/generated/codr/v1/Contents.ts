// Original file: codr/v1/restores.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { DatasetList as _codr_v1_DatasetList, DatasetList__Output as _codr_v1_DatasetList__Output } from '../../codr/v1/DatasetList.ts';
import type { GetRequest as _codr_v1_GetRequest, GetRequest__Output as _codr_v1_GetRequest__Output } from '../../codr/v1/GetRequest.ts';
import type { ListRequest as _codr_v1_ListRequest, ListRequest__Output as _codr_v1_ListRequest__Output } from '../../codr/v1/ListRequest.ts';
import type { RecordResult as _codr_v1_RecordResult, RecordResult__Output as _codr_v1_RecordResult__Output } from '../../codr/v1/RecordResult.ts';

export interface ContentsClient extends grpc.Client {
  GetRecord(argument: _codr_v1_GetRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_RecordResult__Output>): grpc.ClientUnaryCall;
  GetRecord(argument: _codr_v1_GetRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_RecordResult__Output>): grpc.ClientUnaryCall;
  GetRecord(argument: _codr_v1_GetRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_RecordResult__Output>): grpc.ClientUnaryCall;
  GetRecord(argument: _codr_v1_GetRequest, callback: grpc.requestCallback<_codr_v1_RecordResult__Output>): grpc.ClientUnaryCall;
  getRecord(argument: _codr_v1_GetRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_RecordResult__Output>): grpc.ClientUnaryCall;
  getRecord(argument: _codr_v1_GetRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_RecordResult__Output>): grpc.ClientUnaryCall;
  getRecord(argument: _codr_v1_GetRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_RecordResult__Output>): grpc.ClientUnaryCall;
  getRecord(argument: _codr_v1_GetRequest, callback: grpc.requestCallback<_codr_v1_RecordResult__Output>): grpc.ClientUnaryCall;
  
  ListDatasets(argument: _codr_v1_ListRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_DatasetList__Output>): grpc.ClientUnaryCall;
  ListDatasets(argument: _codr_v1_ListRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_DatasetList__Output>): grpc.ClientUnaryCall;
  ListDatasets(argument: _codr_v1_ListRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_DatasetList__Output>): grpc.ClientUnaryCall;
  ListDatasets(argument: _codr_v1_ListRequest, callback: grpc.requestCallback<_codr_v1_DatasetList__Output>): grpc.ClientUnaryCall;
  listDatasets(argument: _codr_v1_ListRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_DatasetList__Output>): grpc.ClientUnaryCall;
  listDatasets(argument: _codr_v1_ListRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_DatasetList__Output>): grpc.ClientUnaryCall;
  listDatasets(argument: _codr_v1_ListRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_DatasetList__Output>): grpc.ClientUnaryCall;
  listDatasets(argument: _codr_v1_ListRequest, callback: grpc.requestCallback<_codr_v1_DatasetList__Output>): grpc.ClientUnaryCall;
  
}

export interface ContentsHandlers extends grpc.UntypedServiceImplementation {
  GetRecord: grpc.handleUnaryCall<_codr_v1_GetRequest__Output, _codr_v1_RecordResult>;
  
  ListDatasets: grpc.handleUnaryCall<_codr_v1_ListRequest__Output, _codr_v1_DatasetList>;
  
}

export interface ContentsDefinition extends grpc.ServiceDefinition {
  GetRecord: MethodDefinition<_codr_v1_GetRequest, _codr_v1_RecordResult, _codr_v1_GetRequest__Output, _codr_v1_RecordResult__Output>
  ListDatasets: MethodDefinition<_codr_v1_ListRequest, _codr_v1_DatasetList, _codr_v1_ListRequest__Output, _codr_v1_DatasetList__Output>
}
