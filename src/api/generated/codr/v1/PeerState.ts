// Original file: codr/v1/repository.proto

export const PeerState = {
  PEER_STATE_UNSPECIFIED: 'PEER_STATE_UNSPECIFIED',
  PEER_STATE_UP: 'PEER_STATE_UP',
  PEER_STATE_DOWN: 'PEER_STATE_DOWN',
  PEER_STATE_DRAINING: 'PEER_STATE_DRAINING',
} as const;

export type PeerState =
  | 'PEER_STATE_UNSPECIFIED'
  | 0
  | 'PEER_STATE_UP'
  | 1
  | 'PEER_STATE_DOWN'
  | 2
  | 'PEER_STATE_DRAINING'
  | 3

export type PeerState__Output = typeof PeerState[keyof typeof PeerState]
