// Original file: codr/peer/v1/peer.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { LookUpRequest as _codr_peer_v1_LookUpRequest, LookUpRequest__Output as _codr_peer_v1_LookUpRequest__Output } from '../../../codr/peer/v1/LookUpRequest.ts';
import type { LookUpResponse as _codr_peer_v1_LookUpResponse, LookUpResponse__Output as _codr_peer_v1_LookUpResponse__Output } from '../../../codr/peer/v1/LookUpResponse.ts';
import type { PingRequest as _codr_peer_v1_PingRequest, PingRequest__Output as _codr_peer_v1_PingRequest__Output } from '../../../codr/peer/v1/PingRequest.ts';
import type { PingResponse as _codr_peer_v1_PingResponse, PingResponse__Output as _codr_peer_v1_PingResponse__Output } from '../../../codr/peer/v1/PingResponse.ts';
import type { WhereRequest as _codr_peer_v1_WhereRequest, WhereRequest__Output as _codr_peer_v1_WhereRequest__Output } from '../../../codr/peer/v1/WhereRequest.ts';
import type { WhereResponse as _codr_peer_v1_WhereResponse, WhereResponse__Output as _codr_peer_v1_WhereResponse__Output } from '../../../codr/peer/v1/WhereResponse.ts';

export interface PeerClient extends grpc.Client {
  LookUp(argument: _codr_peer_v1_LookUpRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_LookUpResponse__Output>): grpc.ClientUnaryCall;
  LookUp(argument: _codr_peer_v1_LookUpRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_LookUpResponse__Output>): grpc.ClientUnaryCall;
  LookUp(argument: _codr_peer_v1_LookUpRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_LookUpResponse__Output>): grpc.ClientUnaryCall;
  LookUp(argument: _codr_peer_v1_LookUpRequest, callback: grpc.requestCallback<_codr_peer_v1_LookUpResponse__Output>): grpc.ClientUnaryCall;
  lookUp(argument: _codr_peer_v1_LookUpRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_LookUpResponse__Output>): grpc.ClientUnaryCall;
  lookUp(argument: _codr_peer_v1_LookUpRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_LookUpResponse__Output>): grpc.ClientUnaryCall;
  lookUp(argument: _codr_peer_v1_LookUpRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_LookUpResponse__Output>): grpc.ClientUnaryCall;
  lookUp(argument: _codr_peer_v1_LookUpRequest, callback: grpc.requestCallback<_codr_peer_v1_LookUpResponse__Output>): grpc.ClientUnaryCall;
  
  Ping(argument: _codr_peer_v1_PingRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_PingResponse__Output>): grpc.ClientUnaryCall;
  Ping(argument: _codr_peer_v1_PingRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_PingResponse__Output>): grpc.ClientUnaryCall;
  Ping(argument: _codr_peer_v1_PingRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_PingResponse__Output>): grpc.ClientUnaryCall;
  Ping(argument: _codr_peer_v1_PingRequest, callback: grpc.requestCallback<_codr_peer_v1_PingResponse__Output>): grpc.ClientUnaryCall;
  ping(argument: _codr_peer_v1_PingRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_PingResponse__Output>): grpc.ClientUnaryCall;
  ping(argument: _codr_peer_v1_PingRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_PingResponse__Output>): grpc.ClientUnaryCall;
  ping(argument: _codr_peer_v1_PingRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_PingResponse__Output>): grpc.ClientUnaryCall;
  ping(argument: _codr_peer_v1_PingRequest, callback: grpc.requestCallback<_codr_peer_v1_PingResponse__Output>): grpc.ClientUnaryCall;
  
  Where(argument: _codr_peer_v1_WhereRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_WhereResponse__Output>): grpc.ClientUnaryCall;
  Where(argument: _codr_peer_v1_WhereRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_WhereResponse__Output>): grpc.ClientUnaryCall;
  Where(argument: _codr_peer_v1_WhereRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_WhereResponse__Output>): grpc.ClientUnaryCall;
  Where(argument: _codr_peer_v1_WhereRequest, callback: grpc.requestCallback<_codr_peer_v1_WhereResponse__Output>): grpc.ClientUnaryCall;
  where(argument: _codr_peer_v1_WhereRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_WhereResponse__Output>): grpc.ClientUnaryCall;
  where(argument: _codr_peer_v1_WhereRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_codr_peer_v1_WhereResponse__Output>): grpc.ClientUnaryCall;
  where(argument: _codr_peer_v1_WhereRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_codr_peer_v1_WhereResponse__Output>): grpc.ClientUnaryCall;
  where(argument: _codr_peer_v1_WhereRequest, callback: grpc.requestCallback<_codr_peer_v1_WhereResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface PeerHandlers extends grpc.UntypedServiceImplementation {
  LookUp: grpc.handleUnaryCall<_codr_peer_v1_LookUpRequest__Output, _codr_peer_v1_LookUpResponse>;
  
  Ping: grpc.handleUnaryCall<_codr_peer_v1_PingRequest__Output, _codr_peer_v1_PingResponse>;
  
  Where: grpc.handleUnaryCall<_codr_peer_v1_WhereRequest__Output, _codr_peer_v1_WhereResponse>;
  
}

export interface PeerDefinition extends grpc.ServiceDefinition {
  LookUp: MethodDefinition<_codr_peer_v1_LookUpRequest, _codr_peer_v1_LookUpResponse, _codr_peer_v1_LookUpRequest__Output, _codr_peer_v1_LookUpResponse__Output>
  Ping: MethodDefinition<_codr_peer_v1_PingRequest, _codr_peer_v1_PingResponse, _codr_peer_v1_PingRequest__Output, _codr_peer_v1_PingResponse__Output>
  Where: MethodDefinition<_codr_peer_v1_WhereRequest, _codr_peer_v1_WhereResponse, _codr_peer_v1_WhereRequest__Output, _codr_peer_v1_WhereResponse__Output>
}
