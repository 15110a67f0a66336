// Original file: codr/peer/v1/files.proto

import type { FileActKind as _codr_peer_v1_FileActKind, FileActKind__Output as _codr_peer_v1_FileActKind__Output } from '../../../codr/peer/v1/FileActKind.ts';
import type { Long } from '@grpc/proto-loader';

export interface FileAct {
  'kind'?: (_codr_peer_v1_FileActKind);
  'path'?: (string);
  'to'?: (string);
  'bytes'?: (Buffer | Uint8Array | string);
  'lease'?: (number | string | Long);
  'file'?: (number | string | Long);
  '_path'?: "path";
  '_to'?: "to";
  '_bytes'?: "bytes";
  '_lease'?: "lease";
  '_file'?: "file";
}

export interface FileAct__Output {
  'kind': (_codr_peer_v1_FileActKind__Output);
  'path'?: (string);
  'to'?: (string);
  'bytes'?: (Buffer);
  'lease'?: (string);
  'file'?: (string);
  '_path'?: "path";
  '_to'?: "to";
  '_bytes'?: "bytes";
  '_lease'?: "lease";
  '_file'?: "file";
}
