// Original file: codr/v1/restores.proto

export const RecordChange = {
  RECORD_CHANGE_UNSPECIFIED: 'RECORD_CHANGE_UNSPECIFIED',
  RECORD_CHANGE_BASE: 'RECORD_CHANGE_BASE',
  RECORD_CHANGE_PUT: 'RECORD_CHANGE_PUT',
  RECORD_CHANGE_PATCH: 'RECORD_CHANGE_PATCH',
  RECORD_CHANGE_DELETE: 'RECORD_CHANGE_DELETE',
  RECORD_CHANGE_CLEAR: 'RECORD_CHANGE_CLEAR',
} as const;

export type RecordChange =
  | 'RECORD_CHANGE_UNSPECIFIED'
  | 0
  | 'RECORD_CHANGE_BASE'
  | 1
  | 'RECORD_CHANGE_PUT'
  | 2
  | 'RECORD_CHANGE_PATCH'
  | 3
  | 'RECORD_CHANGE_DELETE'
  | 4
  | 'RECORD_CHANGE_CLEAR'
  | 5

export type RecordChange__Output = typeof RecordChange[keyof typeof RecordChange]
