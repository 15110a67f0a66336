// Original file: codr/peer/v1/files.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { FileActs as _codr_peer_v1_FileActs, FileActs__Output as _codr_peer_v1_FileActs__Output } from '../../../codr/peer/v1/FileActs.ts';
import type { FileResults as _codr_peer_v1_FileResults, FileResults__Output as _codr_peer_v1_FileResults__Output } from '../../../codr/peer/v1/FileResults.ts';
import type { HoldEvent as _codr_peer_v1_HoldEvent, HoldEvent__Output as _codr_peer_v1_HoldEvent__Output } from '../../../codr/peer/v1/HoldEvent.ts';
import type { HoldRequest as _codr_peer_v1_HoldRequest, HoldRequest__Output as _codr_peer_v1_HoldRequest__Output } from '../../../codr/peer/v1/HoldRequest.ts';
import type { ReadRequest as _codr_peer_v1_ReadRequest, ReadRequest__Output as _codr_peer_v1_ReadRequest__Output } from '../../../codr/peer/v1/ReadRequest.ts';
import type { ReadResponse as _codr_peer_v1_ReadResponse, ReadResponse__Output as _codr_peer_v1_ReadResponse__Output } from '../../../codr/peer/v1/ReadResponse.ts';
import type { WriteRequest as _codr_peer_v1_WriteRequest, WriteRequest__Output as _codr_peer_v1_WriteRequest__Output } from '../../../codr/peer/v1/WriteRequest.ts';
import type { WriteResponse as _codr_peer_v1_WriteResponse, WriteResponse__Output as _codr_peer_v1_WriteResponse__Output } from '../../../codr/peer/v1/WriteResponse.ts';

export interface FilesClient extends grpc.Client {
  Act(argument: _codr_peer_v1_FileActs, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_FileResults__Output>): grpc.ClientUnaryCall;
  Act(argument: _codr_peer_v1_FileActs, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_FileResults__Output>): grpc.ClientUnaryCall;
  Act(argument: _codr_peer_v1_FileActs, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_FileResults__Output>): grpc.ClientUnaryCall;
  Act(argument: _codr_peer_v1_FileActs, callback: grpc.requestCallback<_codr_peer_v1_FileResults__Output>): grpc.ClientUnaryCall;
  act(argument: _codr_peer_v1_FileActs, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_FileResults__Output>): grpc.ClientUnaryCall;
  act(argument: _codr_peer_v1_FileActs, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_FileResults__Output>): grpc.ClientUnaryCall;
  act(argument: _codr_peer_v1_FileActs, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_FileResults__Output>): grpc.ClientUnaryCall;
  act(argument: _codr_peer_v1_FileActs, callback: grpc.requestCallback<_codr_peer_v1_FileResults__Output>): grpc.ClientUnaryCall;
  
  Hold(argument: _codr_peer_v1_HoldRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_peer_v1_HoldEvent__Output>;
  Hold(argument: _codr_peer_v1_HoldRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_peer_v1_HoldEvent__Output>;
  hold(argument: _codr_peer_v1_HoldRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_peer_v1_HoldEvent__Output>;
  hold(argument: _codr_peer_v1_HoldRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_peer_v1_HoldEvent__Output>;
  
  Read(argument: _codr_peer_v1_ReadRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_ReadResponse__Output>): grpc.ClientUnaryCall;
  Read(argument: _codr_peer_v1_ReadRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_ReadResponse__Output>): grpc.ClientUnaryCall;
  Read(argument: _codr_peer_v1_ReadRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_ReadResponse__Output>): grpc.ClientUnaryCall;
  Read(argument: _codr_peer_v1_ReadRequest, callback: grpc.requestCallback<_codr_peer_v1_ReadResponse__Output>): grpc.ClientUnaryCall;
  read(argument: _codr_peer_v1_ReadRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_ReadResponse__Output>): grpc.ClientUnaryCall;
  read(argument: _codr_peer_v1_ReadRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_ReadResponse__Output>): grpc.ClientUnaryCall;
  read(argument: _codr_peer_v1_ReadRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_ReadResponse__Output>): grpc.ClientUnaryCall;
  read(argument: _codr_peer_v1_ReadRequest, callback: grpc.requestCallback<_codr_peer_v1_ReadResponse__Output>): grpc.ClientUnaryCall;
  
  Write(argument: _codr_peer_v1_WriteRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_WriteResponse__Output>): grpc.ClientUnaryCall;
  Write(argument: _codr_peer_v1_WriteRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_WriteResponse__Output>): grpc.ClientUnaryCall;
  Write(argument: _codr_peer_v1_WriteRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_WriteResponse__Output>): grpc.ClientUnaryCall;
  Write(argument: _codr_peer_v1_WriteRequest, callback: grpc.requestCallback<_codr_peer_v1_WriteResponse__Output>): grpc.ClientUnaryCall;
  write(argument: _codr_peer_v1_WriteRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_WriteResponse__Output>): grpc.ClientUnaryCall;
  write(argument: _codr_peer_v1_WriteRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_WriteResponse__Output>): grpc.ClientUnaryCall;
  write(argument: _codr_peer_v1_WriteRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_WriteResponse__Output>): grpc.ClientUnaryCall;
  write(argument: _codr_peer_v1_WriteRequest, callback: grpc.requestCallback<_codr_peer_v1_WriteResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface FilesHandlers extends grpc.UntypedServiceImplementation {
  Act: grpc.handleUnaryCall<_codr_peer_v1_FileActs__Output, _codr_peer_v1_FileResults>;
  
  Hold: grpc.handleServerStreamingCall<_codr_peer_v1_HoldRequest__Output, _codr_peer_v1_HoldEvent>;
  
  Read: grpc.handleUnaryCall<_codr_peer_v1_ReadRequest__Output, _codr_peer_v1_ReadResponse>;
  
  Write: grpc.handleUnaryCall<_codr_peer_v1_WriteRequest__Output, _codr_peer_v1_WriteResponse>;
  
}

export interface FilesDefinition extends grpc.ServiceDefinition {
  Act: MethodDefinition<_codr_peer_v1_FileActs, _codr_peer_v1_FileResults, _codr_peer_v1_FileActs__Output, _codr_peer_v1_FileResults__Output>
  Hold: MethodDefinition<_codr_peer_v1_HoldRequest, _codr_peer_v1_HoldEvent, _codr_peer_v1_HoldRequest__Output, _codr_peer_v1_HoldEvent__Output>
  Read: MethodDefinition<_codr_peer_v1_ReadRequest, _codr_peer_v1_ReadResponse, _codr_peer_v1_ReadRequest__Output, _codr_peer_v1_ReadResponse__Output>
  Write: MethodDefinition<_codr_peer_v1_WriteRequest, _codr_peer_v1_WriteResponse, _codr_peer_v1_WriteRequest__Output, _codr_peer_v1_WriteResponse__Output>
}
