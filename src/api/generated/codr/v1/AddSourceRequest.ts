// Original file: codr/v1/sources.proto


export interface AddSourceRequest {
  'source'?: (string);
  'uri'?: (string);
  'config'?: (string);
  'include'?: (string)[];
  'exclude'?: (string)[];
  'passwordFile'?: (string);
  'passwordEnv'?: (string);
  '_uri'?: "uri";
  '_config'?: "config";
  '_passwordFile'?: "passwordFile";
  '_passwordEnv'?: "passwordEnv";
}

export interface AddSourceRequest__Output {
  'source': (string);
  'uri'?: (string);
  'config'?: (string);
  'include': (string)[];
  'exclude': (string)[];
  'passwordFile'?: (string);
  'passwordEnv'?: (string);
  '_uri'?: "uri";
  '_config'?: "config";
  '_passwordFile'?: "passwordFile";
  '_passwordEnv'?: "passwordEnv";
}
