// Original file: codr/v1/repository.proto

import type { RepositoryStatus as _codr_v1_RepositoryStatus, RepositoryStatus__Output as _codr_v1_RepositoryStatus__Output } from '../../codr/v1/RepositoryStatus.ts';
import type { Peer as _codr_v1_Peer, Peer__Output as _codr_v1_Peer__Output } from '../../codr/v1/Peer.ts';
import type { SourceStatus as _codr_v1_SourceStatus, SourceStatus__Output as _codr_v1_SourceStatus__Output } from '../../codr/v1/SourceStatus.ts';
import type { OperationStatus as _codr_v1_OperationStatus, OperationStatus__Output as _codr_v1_OperationStatus__Output } from '../../codr/v1/OperationStatus.ts';
import type { Long } from '@grpc/proto-loader';

export interface Status {
  'repository'?: (_codr_v1_RepositoryStatus | null);
  'peers'?: (_codr_v1_Peer)[];
  'coordinator'?: (string);
  'epoch'?: (number | string | Long);
  'sources'?: (_codr_v1_SourceStatus)[];
  'operations'?: (_codr_v1_OperationStatus)[];
  '_coordinator'?: "coordinator";
  '_epoch'?: "epoch";
}

export interface Status__Output {
  'repository': (_codr_v1_RepositoryStatus__Output | null);
  'peers': (_codr_v1_Peer__Output)[];
  'coordinator'?: (string);
  'epoch'?: (string);
  'sources': (_codr_v1_SourceStatus__Output)[];
  'operations': (_codr_v1_OperationStatus__Output)[];
  '_coordinator'?: "coordinator";
  '_epoch'?: "epoch";
}
