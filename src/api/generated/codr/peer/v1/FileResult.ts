// Original file: codr/peer/v1/files.proto

import type { FileFault as _codr_peer_v1_FileFault, FileFault__Output as _codr_peer_v1_FileFault__Output } from '../../../codr/peer/v1/FileFault.ts';
import type { FolderEntry as _codr_peer_v1_FolderEntry, FolderEntry__Output as _codr_peer_v1_FolderEntry__Output } from '../../../codr/peer/v1/FolderEntry.ts';
import type { FileFacts as _codr_peer_v1_FileFacts, FileFacts__Output as _codr_peer_v1_FileFacts__Output } from '../../../codr/peer/v1/FileFacts.ts';
import type { Long } from '@grpc/proto-loader';

export interface FileResult {
  'fault'?: (_codr_peer_v1_FileFault | null);
  'entries'?: (_codr_peer_v1_FolderEntry)[];
  'facts'?: (_codr_peer_v1_FileFacts | null);
  'path'?: (string);
  'bytesFree'?: (number | string | Long);
  'bytes'?: (Buffer | Uint8Array | string);
  'file'?: (number | string | Long);
  '_fault'?: "fault";
  '_facts'?: "facts";
  '_path'?: "path";
  '_bytesFree'?: "bytesFree";
  '_bytes'?: "bytes";
  '_file'?: "file";
}

export interface FileResult__Output {
  'fault'?: (_codr_peer_v1_FileFault__Output | null);
  'entries': (_codr_peer_v1_FolderEntry__Output)[];
  'facts'?: (_codr_peer_v1_FileFacts__Output | null);
  'path'?: (string);
  'bytesFree'?: (string);
  'bytes'?: (Buffer);
  'file'?: (string);
  '_fault'?: "fault";
  '_facts'?: "facts";
  '_path'?: "path";
  '_bytesFree'?: "bytesFree";
  '_bytes'?: "bytes";
  '_file'?: "file";
}
