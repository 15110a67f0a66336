// Original file: codr/v1/sources.proto

import type { Long } from '@grpc/proto-loader';

export interface AddSourceRequest {
  'source'?: (string);
  'uri'?: (string);
  'config'?: (string);
  'include'?: (string)[];
  'exclude'?: (string)[];
  'passwordFile'?: (string);
  'passwordEnv'?: (string);
  'readers'?: (number | string | Long);
  'bytesPerSecond'?: (number | string | Long);
  '_uri'?: "uri";
  '_config'?: "config";
  '_passwordFile'?: "passwordFile";
  '_passwordEnv'?: "passwordEnv";
  '_readers'?: "readers";
  '_bytesPerSecond'?: "bytesPerSecond";
}

export interface AddSourceRequest__Output {
  'source': (string);
  'uri'?: (string);
  'config'?: (string);
  'include': (string)[];
  'exclude': (string)[];
  'passwordFile'?: (string);
  'passwordEnv'?: (string);
  'readers'?: (string);
  'bytesPerSecond'?: (string);
  '_uri'?: "uri";
  '_config'?: "config";
  '_passwordFile'?: "passwordFile";
  '_passwordEnv'?: "passwordEnv";
  '_readers'?: "readers";
  '_bytesPerSecond'?: "bytesPerSecond";
}
