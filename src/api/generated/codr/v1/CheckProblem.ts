// Original file: codr/v1/repository.proto


export interface CheckProblem {
  'object'?: (string);
  'problem'?: (string);
  'affected'?: (string)[];
  'remedy'?: (string);
  'repaired'?: (boolean);
  '_remedy'?: "remedy";
}

export interface CheckProblem__Output {
  'object': (string);
  'problem': (string);
  'affected': (string)[];
  'remedy'?: (string);
  'repaired': (boolean);
  '_remedy'?: "remedy";
}
