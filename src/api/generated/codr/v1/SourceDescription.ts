// Original file: codr/v1/sources.proto


export interface SourceDescription {
  'name'?: (string);
  'id'?: (string);
  'kind'?: (string);
  'uri'?: (string);
  'identity'?: (string);
  'version'?: (string);
  'streams'?: (string)[];
  'include'?: (string)[];
  'exclude'?: (string)[];
  'added'?: (string);
}

export interface SourceDescription__Output {
  'name': (string);
  'id': (string);
  'kind': (string);
  'uri': (string);
  'identity': (string);
  'version': (string);
  'streams': (string)[];
  'include': (string)[];
  'exclude': (string)[];
  'added': (string);
}
