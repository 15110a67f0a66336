// Original file: codr/v1/repository.proto

import type { RepositoryDescription as _codr_v1_RepositoryDescription, RepositoryDescription__Output as _codr_v1_RepositoryDescription__Output } from '../../codr/v1/RepositoryDescription.ts';
import type { KeySlot as _codr_v1_KeySlot, KeySlot__Output as _codr_v1_KeySlot__Output } from '../../codr/v1/KeySlot.ts';

export interface InitResult {
  'repository'?: (_codr_v1_RepositoryDescription | null);
  'key'?: (_codr_v1_KeySlot | null);
  '_key'?: "key";
}

export interface InitResult__Output {
  'repository': (_codr_v1_RepositoryDescription__Output | null);
  'key'?: (_codr_v1_KeySlot__Output | null);
  '_key'?: "key";
}
