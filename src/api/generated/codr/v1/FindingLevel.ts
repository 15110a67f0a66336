// Original file: codr/v1/sources.proto

export const FindingLevel = {
  FINDING_LEVEL_UNSPECIFIED: 'FINDING_LEVEL_UNSPECIFIED',
  FINDING_LEVEL_ERROR: 'FINDING_LEVEL_ERROR',
  FINDING_LEVEL_WARNING: 'FINDING_LEVEL_WARNING',
  FINDING_LEVEL_FINE: 'FINDING_LEVEL_FINE',
} as const;

export type FindingLevel =
  | 'FINDING_LEVEL_UNSPECIFIED'
  | 0
  | 'FINDING_LEVEL_ERROR'
  | 1
  | 'FINDING_LEVEL_WARNING'
  | 2
  | 'FINDING_LEVEL_FINE'
  | 3

export type FindingLevel__Output = typeof FindingLevel[keyof typeof FindingLevel]
