// Original file: codr/peer/v1/work.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { WorkEvent as _codr_peer_v1_WorkEvent, WorkEvent__Output as _codr_peer_v1_WorkEvent__Output } from '../../../codr/peer/v1/WorkEvent.ts';
import type { WorkRequest as _codr_peer_v1_WorkRequest, WorkRequest__Output as _codr_peer_v1_WorkRequest__Output } from '../../../codr/peer/v1/WorkRequest.ts';

export interface WorkClient extends grpc.Client {
  Do(argument: _codr_peer_v1_WorkRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_peer_v1_WorkEvent__Output>;
  Do(argument: _codr_peer_v1_WorkRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_peer_v1_WorkEvent__Output>;
  do(argument: _codr_peer_v1_WorkRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_peer_v1_WorkEvent__Output>;
  do(argument: _codr_peer_v1_WorkRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_codr_peer_v1_WorkEvent__Output>;
  
}

export interface WorkHandlers extends grpc.UntypedServiceImplementation {
  Do: grpc.handleServerStreamingCall<_codr_peer_v1_WorkRequest__Output, _codr_peer_v1_WorkEvent>;
  
}

export interface WorkDefinition extends grpc.ServiceDefinition {
  Do: MethodDefinition<_codr_peer_v1_WorkRequest, _codr_peer_v1_WorkEvent, _codr_peer_v1_WorkRequest__Output, _codr_peer_v1_WorkEvent__Output>
}
