// Original file: codr/v1/repository.proto

import type { KeySlot as _codr_v1_KeySlot, KeySlot__Output as _codr_v1_KeySlot__Output } from '../../codr/v1/KeySlot.ts';

export interface KeyList {
  'keys'?: (_codr_v1_KeySlot)[];
}

export interface KeyList__Output {
  'keys': (_codr_v1_KeySlot__Output)[];
}
