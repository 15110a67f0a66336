// Original file: codr/peer/v1/files.proto


export interface FileFault {
  'code'?: (string);
  'message'?: (string);
  'isOurs'?: (boolean);
  'object'?: (string);
  'remedy'?: (string);
  '_object'?: "object";
  '_remedy'?: "remedy";
}

export interface FileFault__Output {
  'code': (string);
  'message': (string);
  'isOurs': (boolean);
  'object'?: (string);
  'remedy'?: (string);
  '_object'?: "object";
  '_remedy'?: "remedy";
}
