// Where keys lie in etcd, all below the prefix of the installation:
//   <prefix>/identity            names this life of the store, see etcd-life.ts
//   <prefix>/keys/<key>          what the port's callers put
//   <prefix>/receipts/<name>     which transaction of a coordinator happened last, see etcd-receipts.ts
import type { IRangeRequest } from 'etcd3';
import { CodrError } from '../../base/error.ts';

/** Segments that would make the keys of one prefix look like those of another. */
const reserved = new Set(['identity', 'keys', 'receipts']);

export class EtcdKeys {
  readonly prefix: string;
  readonly identity: Buffer;
  readonly #entries: string;

  /** Errors: `config-invalid` for a prefix that is not of the form `name` or `name/name`. */
  constructor(prefix: string) {
    const segments = prefix.split('/');
    const wrong = segments.find((name) => !/^[\w.-]+$/.test(name) || reserved.has(name));
    if (wrong !== undefined) {
      throw new CodrError('config-invalid', `the etcd prefix "${prefix}" cannot be used`, {
        object: prefix,
        remedy: `use names of letters, digits, ".", "_" and "-" between slashes, none of them ${[...reserved].join(', ')}`,
      });
    }
    this.prefix = prefix;
    this.identity = Buffer.from(`${prefix}/identity`);
    this.#entries = `${prefix}/keys/`;
  }

  entry(key: string): Buffer {
    return Buffer.from(this.#entries + key);
  }

  receipt(name: string): Buffer {
    return Buffer.from(`${this.prefix}/receipts/${name}`);
  }

  /** All keys of callers that begin with `prefix`. */
  entries(prefix: string): Required<Pick<IRangeRequest, 'key' | 'range_end'>> {
    const key = this.entry(prefix);
    const end = Buffer.from(key);
    // UTF-8 has no byte 0xff: the next prefix differs in the last byte alone.
    end[end.length - 1] = (end[end.length - 1] as number) + 1;
    return { key, range_end: end };
  }

  /** What the caller named the key. */
  nameOf(key: Buffer): string {
    return key.toString().slice(this.#entries.length);
  }
}
