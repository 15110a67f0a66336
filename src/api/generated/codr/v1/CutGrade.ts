// Original file: codr/v1/sources.proto

export const CutGrade = {
  CUT_GRADE_UNSPECIFIED: 'CUT_GRADE_UNSPECIFIED',
  CUT_GRADE_COMPLETE: 'CUT_GRADE_COMPLETE',
  CUT_GRADE_QUORUM_SAFE: 'CUT_GRADE_QUORUM_SAFE',
  CUT_GRADE_BEST_EFFORT: 'CUT_GRADE_BEST_EFFORT',
} as const;

export type CutGrade =
  | 'CUT_GRADE_UNSPECIFIED'
  | 0
  | 'CUT_GRADE_COMPLETE'
  | 1
  | 'CUT_GRADE_QUORUM_SAFE'
  | 2
  | 'CUT_GRADE_BEST_EFFORT'
  | 3

export type CutGrade__Output = typeof CutGrade[keyof typeof CutGrade]
