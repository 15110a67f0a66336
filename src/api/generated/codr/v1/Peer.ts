// Original file: codr/v1/repository.proto

import type { PeerState as _codr_v1_PeerState, PeerState__Output as _codr_v1_PeerState__Output } from '../../codr/v1/PeerState.ts';

export interface Peer {
  'name'?: (string);
  'state'?: (_codr_v1_PeerState);
  'address'?: (string);
  'version'?: (string);
  '_address'?: "address";
}

export interface Peer__Output {
  'name': (string);
  'state': (_codr_v1_PeerState__Output);
  'address'?: (string);
  'version': (string);
  '_address'?: "address";
}
