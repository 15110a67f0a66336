// Original file: codr/v1/restores.proto

import type { TtlMode as _codr_v1_TtlMode, TtlMode__Output as _codr_v1_TtlMode__Output } from '../../codr/v1/TtlMode.ts';
import type { TombstoneMode as _codr_v1_TombstoneMode, TombstoneMode__Output as _codr_v1_TombstoneMode__Output } from '../../codr/v1/TombstoneMode.ts';
import type { Long } from '@grpc/proto-loader';

export interface RestoreRequest {
  'source'?: (string);
  'to'?: (string);
  'at'?: (string);
  'include'?: (string)[];
  'exclude'?: (string)[];
  'renames'?: (string)[];
  'ranges'?: (string)[];
  'queries'?: (string)[];
  'datacenters'?: (string)[];
  'drop'?: (boolean);
  'ttl'?: (_codr_v1_TtlMode);
  'tombstones'?: (_codr_v1_TombstoneMode);
  'verify'?: (boolean);
  'bytesPerSecond'?: (number | string | Long);
  '_at'?: "at";
  '_ttl'?: "ttl";
  '_tombstones'?: "tombstones";
  '_verify'?: "verify";
  '_bytesPerSecond'?: "bytesPerSecond";
}

export interface RestoreRequest__Output {
  'source': (string);
  'to': (string);
  'at'?: (string);
  'include': (string)[];
  'exclude': (string)[];
  'renames': (string)[];
  'ranges': (string)[];
  'queries': (string)[];
  'datacenters': (string)[];
  'drop': (boolean);
  'ttl'?: (_codr_v1_TtlMode__Output);
  'tombstones'?: (_codr_v1_TombstoneMode__Output);
  'verify'?: (boolean);
  'bytesPerSecond'?: (string);
  '_at'?: "at";
  '_ttl'?: "ttl";
  '_tombstones'?: "tombstones";
  '_verify'?: "verify";
  '_bytesPerSecond'?: "bytesPerSecond";
}
