// Original file: codr/v1/repository.proto

import type { Long } from '@grpc/proto-loader';

export interface RepositoryStatus {
  'url'?: (string);
  'id'?: (string);
  'encrypted'?: (boolean);
  'packs'?: (number | string | Long);
  'packBytes'?: (number | string | Long);
}

export interface RepositoryStatus__Output {
  'url': (string);
  'id': (string);
  'encrypted': (boolean);
  'packs': (string);
  'packBytes': (string);
}
