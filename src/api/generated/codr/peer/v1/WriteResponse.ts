// Original file: codr/peer/v1/files.proto

import type { FileFault as _codr_peer_v1_FileFault, FileFault__Output as _codr_peer_v1_FileFault__Output } from '../../../codr/peer/v1/FileFault.ts';

export interface WriteResponse {
  'fault'?: (_codr_peer_v1_FileFault | null);
  '_fault'?: "fault";
}

export interface WriteResponse__Output {
  'fault'?: (_codr_peer_v1_FileFault__Output | null);
  '_fault'?: "fault";
}
