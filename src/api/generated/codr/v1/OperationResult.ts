// Original file: codr/v1/operations.proto

import type { BackupResult as _codr_v1_BackupResult, BackupResult__Output as _codr_v1_BackupResult__Output } from '../../codr/v1/BackupResult.ts';
import type { RestoreResult as _codr_v1_RestoreResult, RestoreResult__Output as _codr_v1_RestoreResult__Output } from '../../codr/v1/RestoreResult.ts';
import type { VerifyResult as _codr_v1_VerifyResult, VerifyResult__Output as _codr_v1_VerifyResult__Output } from '../../codr/v1/VerifyResult.ts';
import type { CheckpointResult as _codr_v1_CheckpointResult, CheckpointResult__Output as _codr_v1_CheckpointResult__Output } from '../../codr/v1/CheckpointResult.ts';
import type { CollectResult as _codr_v1_CollectResult, CollectResult__Output as _codr_v1_CollectResult__Output } from '../../codr/v1/CollectResult.ts';
import type { CheckResult as _codr_v1_CheckResult, CheckResult__Output as _codr_v1_CheckResult__Output } from '../../codr/v1/CheckResult.ts';
import type { SourceCheck as _codr_v1_SourceCheck, SourceCheck__Output as _codr_v1_SourceCheck__Output } from '../../codr/v1/SourceCheck.ts';
import type { SourceRebased as _codr_v1_SourceRebased, SourceRebased__Output as _codr_v1_SourceRebased__Output } from '../../codr/v1/SourceRebased.ts';
import type { SourceRemoved as _codr_v1_SourceRemoved, SourceRemoved__Output as _codr_v1_SourceRemoved__Output } from '../../codr/v1/SourceRemoved.ts';

export interface OperationResult {
  'backup'?: (_codr_v1_BackupResult | null);
  'restore'?: (_codr_v1_RestoreResult | null);
  'verify'?: (_codr_v1_VerifyResult | null);
  'checkpoint'?: (_codr_v1_CheckpointResult | null);
  'collect'?: (_codr_v1_CollectResult | null);
  'check'?: (_codr_v1_CheckResult | null);
  'sourceAdd'?: (_codr_v1_SourceCheck | null);
  'sourceCheck'?: (_codr_v1_SourceCheck | null);
  'sourceRebase'?: (_codr_v1_SourceRebased | null);
  'sourceRemove'?: (_codr_v1_SourceRemoved | null);
  'result'?: "backup"|"restore"|"verify"|"checkpoint"|"collect"|"check"|"sourceAdd"|"sourceCheck"|"sourceRebase"|"sourceRemove";
}

export interface OperationResult__Output {
  'backup'?: (_codr_v1_BackupResult__Output | null);
  'restore'?: (_codr_v1_RestoreResult__Output | null);
  'verify'?: (_codr_v1_VerifyResult__Output | null);
  'checkpoint'?: (_codr_v1_CheckpointResult__Output | null);
  'collect'?: (_codr_v1_CollectResult__Output | null);
  'check'?: (_codr_v1_CheckResult__Output | null);
  'sourceAdd'?: (_codr_v1_SourceCheck__Output | null);
  'sourceCheck'?: (_codr_v1_SourceCheck__Output | null);
  'sourceRebase'?: (_codr_v1_SourceRebased__Output | null);
  'sourceRemove'?: (_codr_v1_SourceRemoved__Output | null);
  'result'?: "backup"|"restore"|"verify"|"checkpoint"|"collect"|"check"|"sourceAdd"|"sourceCheck"|"sourceRebase"|"sourceRemove";
}
