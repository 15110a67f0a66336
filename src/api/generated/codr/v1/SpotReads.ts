// Original file: codr/v1/restores.proto

import type { Long } from '@grpc/proto-loader';

export interface SpotReads {
  'made'?: (number | string | Long);
  'own'?: (number | string | Long);
  'expired'?: (number | string | Long);
}

export interface SpotReads__Output {
  'made': (string);
  'own': (string);
  'expired': (string);
}
