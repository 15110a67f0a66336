// Original file: codr/peer/v1/files.proto

import type { FileFault as _codr_peer_v1_FileFault, FileFault__Output as _codr_peer_v1_FileFault__Output } from '../../../codr/peer/v1/FileFault.ts';

export interface ReadResponse {
  'fault'?: (_codr_peer_v1_FileFault | null);
  'bytes'?: (Buffer | Uint8Array | string);
  '_fault'?: "fault";
  '_bytes'?: "bytes";
}

export interface ReadResponse__Output {
  'fault'?: (_codr_peer_v1_FileFault__Output | null);
  'bytes'?: (Buffer);
  '_fault'?: "fault";
  '_bytes'?: "bytes";
}
