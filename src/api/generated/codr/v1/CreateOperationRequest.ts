// Original file: codr/v1/operations.proto

import type { BackupRequest as _codr_v1_BackupRequest, BackupRequest__Output as _codr_v1_BackupRequest__Output } from '../../codr/v1/BackupRequest.ts';
import type { RestoreRequest as _codr_v1_RestoreRequest, RestoreRequest__Output as _codr_v1_RestoreRequest__Output } from '../../codr/v1/RestoreRequest.ts';
import type { VerifyRequest as _codr_v1_VerifyRequest, VerifyRequest__Output as _codr_v1_VerifyRequest__Output } from '../../codr/v1/VerifyRequest.ts';
import type { CheckpointRequest as _codr_v1_CheckpointRequest, CheckpointRequest__Output as _codr_v1_CheckpointRequest__Output } from '../../codr/v1/CheckpointRequest.ts';
import type { CollectRequest as _codr_v1_CollectRequest, CollectRequest__Output as _codr_v1_CollectRequest__Output } from '../../codr/v1/CollectRequest.ts';
import type { CheckRequest as _codr_v1_CheckRequest, CheckRequest__Output as _codr_v1_CheckRequest__Output } from '../../codr/v1/CheckRequest.ts';
import type { AddSourceRequest as _codr_v1_AddSourceRequest, AddSourceRequest__Output as _codr_v1_AddSourceRequest__Output } from '../../codr/v1/AddSourceRequest.ts';
import type { SourceRequest as _codr_v1_SourceRequest, SourceRequest__Output as _codr_v1_SourceRequest__Output } from '../../codr/v1/SourceRequest.ts';

export interface CreateOperationRequest {
  'idempotencyKey'?: (string);
  'backup'?: (_codr_v1_BackupRequest | null);
  'restore'?: (_codr_v1_RestoreRequest | null);
  'verify'?: (_codr_v1_VerifyRequest | null);
  'checkpoint'?: (_codr_v1_CheckpointRequest | null);
  'collect'?: (_codr_v1_CollectRequest | null);
  'check'?: (_codr_v1_CheckRequest | null);
  'sourceAdd'?: (_codr_v1_AddSourceRequest | null);
  'sourceCheck'?: (_codr_v1_SourceRequest | null);
  'sourceRebase'?: (_codr_v1_SourceRequest | null);
  'sourceRemove'?: (_codr_v1_SourceRequest | null);
  'request'?: "backup"|"restore"|"verify"|"checkpoint"|"collect"|"check"|"sourceAdd"|"sourceCheck"|"sourceRebase"|"sourceRemove";
}

export interface CreateOperationRequest__Output {
  'idempotencyKey': (string);
  'backup'?: (_codr_v1_BackupRequest__Output | null);
  'restore'?: (_codr_v1_RestoreRequest__Output | null);
  'verify'?: (_codr_v1_VerifyRequest__Output | null);
  'checkpoint'?: (_codr_v1_CheckpointRequest__Output | null);
  'collect'?: (_codr_v1_CollectRequest__Output | null);
  'check'?: (_codr_v1_CheckRequest__Output | null);
  'sourceAdd'?: (_codr_v1_AddSourceRequest__Output | null);
  'sourceCheck'?: (_codr_v1_SourceRequest__Output | null);
  'sourceRebase'?: (_codr_v1_SourceRequest__Output | null);
  'sourceRemove'?: (_codr_v1_SourceRequest__Output | null);
  'request'?: "backup"|"restore"|"verify"|"checkpoint"|"collect"|"check"|"sourceAdd"|"sourceCheck"|"sourceRebase"|"sourceRemove";
}
