// Original file: codr/v1/repository.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { AddKeyRequest as _codr_v1_AddKeyRequest, AddKeyRequest__Output as _codr_v1_AddKeyRequest__Output } from '../../codr/v1/AddKeyRequest.ts';
import type { InitRequest as _codr_v1_InitRequest, InitRequest__Output as _codr_v1_InitRequest__Output } from '../../codr/v1/InitRequest.ts';
import type { InitResult as _codr_v1_InitResult, InitResult__Output as _codr_v1_InitResult__Output } from '../../codr/v1/InitResult.ts';
import type { KeyList as _codr_v1_KeyList, KeyList__Output as _codr_v1_KeyList__Output } from '../../codr/v1/KeyList.ts';
import type { KeySlot as _codr_v1_KeySlot, KeySlot__Output as _codr_v1_KeySlot__Output } from '../../codr/v1/KeySlot.ts';
import type { ListKeysRequest as _codr_v1_ListKeysRequest, ListKeysRequest__Output as _codr_v1_ListKeysRequest__Output } from '../../codr/v1/ListKeysRequest.ts';
import type { RemoveKeyRequest as _codr_v1_RemoveKeyRequest, RemoveKeyRequest__Output as _codr_v1_RemoveKeyRequest__Output } from '../../codr/v1/RemoveKeyRequest.ts';
import type { Status as _codr_v1_Status, Status__Output as _codr_v1_Status__Output } from '../../codr/v1/Status.ts';
import type { StatusRequest as _codr_v1_StatusRequest, StatusRequest__Output as _codr_v1_StatusRequest__Output } from '../../codr/v1/StatusRequest.ts';

export interface RepositoryClient extends grpc.Client {
  AddKey(argument: _codr_v1_AddKeyRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  AddKey(argument: _codr_v1_AddKeyRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  AddKey(argument: _codr_v1_AddKeyRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  AddKey(argument: _codr_v1_AddKeyRequest, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  addKey(argument: _codr_v1_AddKeyRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  addKey(argument: _codr_v1_AddKeyRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  addKey(argument: _codr_v1_AddKeyRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  addKey(argument: _codr_v1_AddKeyRequest, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  
  GetStatus(argument: _codr_v1_StatusRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Status__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _codr_v1_StatusRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_Status__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _codr_v1_StatusRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Status__Output>): grpc.ClientUnaryCall;
  GetStatus(argument: _codr_v1_StatusRequest, callback: grpc.requestCallback<_codr_v1_Status__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _codr_v1_StatusRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Status__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _codr_v1_StatusRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_Status__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _codr_v1_StatusRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_Status__Output>): grpc.ClientUnaryCall;
  getStatus(argument: _codr_v1_StatusRequest, callback: grpc.requestCallback<_codr_v1_Status__Output>): grpc.ClientUnaryCall;
  
  Init(argument: _codr_v1_InitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_InitResult__Output>): grpc.ClientUnaryCall;
  Init(argument: _codr_v1_InitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_InitResult__Output>): grpc.ClientUnaryCall;
  Init(argument: _codr_v1_InitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_InitResult__Output>): grpc.ClientUnaryCall;
  Init(argument: _codr_v1_InitRequest, callback: grpc.requestCallback<_codr_v1_InitResult__Output>): grpc.ClientUnaryCall;
  init(argument: _codr_v1_InitRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_InitResult__Output>): grpc.ClientUnaryCall;
  init(argument: _codr_v1_InitRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_InitResult__Output>): grpc.ClientUnaryCall;
  init(argument: _codr_v1_InitRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_InitResult__Output>): grpc.ClientUnaryCall;
  init(argument: _codr_v1_InitRequest, callback: grpc.requestCallback<_codr_v1_InitResult__Output>): grpc.ClientUnaryCall;
  
  ListKeys(argument: _codr_v1_ListKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeyList__Output>): grpc.ClientUnaryCall;
  ListKeys(argument: _codr_v1_ListKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_KeyList__Output>): grpc.ClientUnaryCall;
  ListKeys(argument: _codr_v1_ListKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeyList__Output>): grpc.ClientUnaryCall;
  ListKeys(argument: _codr_v1_ListKeysRequest, callback: grpc.requestCallback<_codr_v1_KeyList__Output>): grpc.ClientUnaryCall;
  listKeys(argument: _codr_v1_ListKeysRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeyList__Output>): grpc.ClientUnaryCall;
  listKeys(argument: _codr_v1_ListKeysRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_KeyList__Output>): grpc.ClientUnaryCall;
  listKeys(argument: _codr_v1_ListKeysRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeyList__Output>): grpc.ClientUnaryCall;
  listKeys(argument: _codr_v1_ListKeysRequest, callback: grpc.requestCallback<_codr_v1_KeyList__Output>): grpc.ClientUnaryCall;
  
  RemoveKey(argument: _codr_v1_RemoveKeyRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  RemoveKey(argument: _codr_v1_RemoveKeyRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  RemoveKey(argument: _codr_v1_RemoveKeyRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  RemoveKey(argument: _codr_v1_RemoveKeyRequest, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  removeKey(argument: _codr_v1_RemoveKeyRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  removeKey(argument: _codr_v1_RemoveKeyRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  removeKey(argument: _codr_v1_RemoveKeyRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  removeKey(argument: _codr_v1_RemoveKeyRequest, callback: grpc.requestCallback<_codr_v1_KeySlot__Output>): grpc.ClientUnaryCall;
  
}

export interface RepositoryHandlers extends grpc.UntypedServiceImplementation {
  AddKey: grpc.handleUnaryCall<_codr_v1_AddKeyRequest__Output, _codr_v1_KeySlot>;
  
  GetStatus: grpc.handleUnaryCall<_codr_v1_StatusRequest__Output, _codr_v1_Status>;
  
  Init: grpc.handleUnaryCall<_codr_v1_InitRequest__Output, _codr_v1_InitResult>;
  
  ListKeys: grpc.handleUnaryCall<_codr_v1_ListKeysRequest__Output, _codr_v1_KeyList>;
  
  RemoveKey: grpc.handleUnaryCall<_codr_v1_RemoveKeyRequest__Output, _codr_v1_KeySlot>;
  
}

export interface RepositoryDefinition extends grpc.ServiceDefinition {
  AddKey: MethodDefinition<_codr_v1_AddKeyRequest, _codr_v1_KeySlot, _codr_v1_AddKeyRequest__Output, _codr_v1_KeySlot__Output>
  GetStatus: MethodDefinition<_codr_v1_StatusRequest, _codr_v1_Status, _codr_v1_StatusRequest__Output, _codr_v1_Status__Output>
  Init: MethodDefinition<_codr_v1_InitRequest, _codr_v1_InitResult, _codr_v1_InitRequest__Output, _codr_v1_InitResult__Output>
  ListKeys: MethodDefinition<_codr_v1_ListKeysRequest, _codr_v1_KeyList, _codr_v1_ListKeysRequest__Output, _codr_v1_KeyList__Output>
  RemoveKey: MethodDefinition<_codr_v1_RemoveKeyRequest, _codr_v1_KeySlot, _codr_v1_RemoveKeyRequest__Output, _codr_v1_KeySlot__Output>
}
