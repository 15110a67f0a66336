// Original file: codr/v1/repository.proto

import type { PeerState as _codr_v1_PeerState, PeerState__Output as _codr_v1_PeerState__Output } from '../../codr/v1/PeerState.ts';
import type { Long } from '@grpc/proto-loader';

export interface Peer {
  'name'?: (string);
  'state'?: (_codr_v1_PeerState);
  'address'?: (string);
  'version'?: (string);
  'slots'?: (number | string | Long);
  'ownsPercent'?: (number | string);
  'operations'?: (number | string | Long);
  'lagSeconds'?: (number | string);
  '_address'?: "address";
  '_slots'?: "slots";
  '_ownsPercent'?: "ownsPercent";
  '_operations'?: "operations";
  '_lagSeconds'?: "lagSeconds";
}

export interface Peer__Output {
  'name': (string);
  'state': (_codr_v1_PeerState__Output);
  'address'?: (string);
  'version': (string);
  'slots'?: (string);
  'ownsPercent'?: (number);
  'operations'?: (string);
  'lagSeconds'?: (number);
  '_address'?: "address";
  '_slots'?: "slots";
  '_ownsPercent'?: "ownsPercent";
  '_operations'?: "operations";
  '_lagSeconds'?: "lagSeconds";
}
