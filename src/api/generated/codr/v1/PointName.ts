// Original file: codr/v1/sources.proto


export interface PointName {
  'id'?: (string);
  'time'?: (string);
  'wall'?: (string);
}

export interface PointName__Output {
  'id': (string);
  'time': (string);
  'wall': (string);
}
