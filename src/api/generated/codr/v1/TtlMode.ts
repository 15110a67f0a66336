// Original file: codr/v1/restores.proto

export const TtlMode = {
  TTL_MODE_UNSPECIFIED: 'TTL_MODE_UNSPECIFIED',
  TTL_MODE_KEEP: 'TTL_MODE_KEEP',
  TTL_MODE_HOLD: 'TTL_MODE_HOLD',
  TTL_MODE_REBASE: 'TTL_MODE_REBASE',
  TTL_MODE_FREEZE: 'TTL_MODE_FREEZE',
} as const;

export type TtlMode =
  | 'TTL_MODE_UNSPECIFIED'
  | 0
  | 'TTL_MODE_KEEP'
  | 1
  | 'TTL_MODE_HOLD'
  | 2
  | 'TTL_MODE_REBASE'
  | 3
  | 'TTL_MODE_FREEZE'
  | 4

export type TtlMode__Output = typeof TtlMode[keyof typeof TtlMode]
