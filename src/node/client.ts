// `codr/client`: what other programs import to use peers of CODR. docs/manual/api.md shows it in use.

import { RemoteApi } from '../api/client/remote-api.ts';
import type { ClientSecurity, ClientTls } from '../api/client/security.ts';
import type { CodrApi } from '../api/codr-api.ts';
import { systemClock } from './system-clock.ts';
import { systemRandom } from './system-random.ts';

export type * from '../api/codr-api.ts';
export { CodrError, isCodrError } from '../base/error.ts';
export type { ErrorCode } from '../base/error-catalogue.ts';
export type { ClientTls };

/** Where a peer is, and how both sides prove who they are. */
export interface ConnectOptions extends ClientSecurity {
  /** `host:port` of a peer, or of a balancer in front of several. */
  readonly address: string;
}

/**
 * The API of a peer. Connects when it is first used. Long calls go on at the peer when the connection breaks, and
 * are found again; when the signal of the call aborts, they end at their next safe place. Errors: `config-invalid`.
 */
export function connect(options: ConnectOptions): CodrApi {
  return new RemoteApi({ ...options, clock: systemClock, random: systemRandom });
}
