// Original file: codr/v1/sources.proto

import type { Long } from '@grpc/proto-loader';

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
  'readers'?: (number | string | Long);
  'bytesPerSecond'?: (number | string | Long);
  '_readers'?: "readers";
  '_bytesPerSecond'?: "bytesPerSecond";
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
  'readers'?: (string);
  'bytesPerSecond'?: (string);
  '_readers'?: "readers";
  '_bytesPerSecond'?: "bytesPerSecond";
}
