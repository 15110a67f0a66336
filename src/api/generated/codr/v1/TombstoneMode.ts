// Original file: codr/v1/restores.proto

export const TombstoneMode = {
  TOMBSTONE_MODE_UNSPECIFIED: 'TOMBSTONE_MODE_UNSPECIFIED',
  TOMBSTONE_MODE_KEEP: 'TOMBSTONE_MODE_KEEP',
  TOMBSTONE_MODE_DROP: 'TOMBSTONE_MODE_DROP',
} as const;

export type TombstoneMode =
  | 'TOMBSTONE_MODE_UNSPECIFIED'
  | 0
  | 'TOMBSTONE_MODE_KEEP'
  | 1
  | 'TOMBSTONE_MODE_DROP'
  | 2

export type TombstoneMode__Output = typeof TombstoneMode[keyof typeof TombstoneMode]
