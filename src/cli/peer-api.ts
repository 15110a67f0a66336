// The peer named by --node, as an API: reads the files of certificates and connects.
import { readFileSync } from 'node:fs';
import type { CodrApi } from '../api/codr-api.ts';
import { CodrError } from '../base/error.ts';
import { connect } from '../node/client.ts';
import type { Config } from '../node/config.ts';

/** Errors: `config-invalid`. Connects when it is first used. */
export function openPeer(address: string, config: Config): CodrApi {
  const { insecure, ca, cert, key, token } = config;
  if (insecure && (ca ?? cert ?? key) !== undefined) {
    throw new CodrError('config-invalid', 'certificates mean nothing without TLS', {
      remedy: 'leave out --insecure, or --ca, --cert and --key',
    });
  }
  const tls = {
    ...(ca !== undefined && { ca: pem('--ca', ca) }),
    ...(cert !== undefined && { cert: pem('--cert', cert) }),
    ...(key !== undefined && { key: pem('--key', key) }),
  };
  return connect({
    address,
    tls: insecure ? 'insecure' : tls,
    ...(token !== undefined && { token }),
  });
}

function pem(flag: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new CodrError('config-invalid', `${flag}: the file ${path} cannot be read`, {
      object: path,
      cause,
    });
  }
}
