// The thread behind `merge-pool.ts`.
import { serveBlocks } from './block-server.ts';
import { mergeFiles } from './merge-files.ts';

serveBlocks(mergeFiles);
