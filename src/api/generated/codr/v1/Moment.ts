// Original file: codr/v1/common.proto


export interface Moment {
  'time'?: (string);
  'wall'?: (string);
}

export interface Moment__Output {
  'time': (string);
  'wall': (string);
}
