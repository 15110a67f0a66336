// Who may do what: roles, the proof that a caller brings, and the rules of a configuration that turn the one
// into the other. Which role a call needs stands in api-methods.ts.
import { createHash, timingSafeEqual } from 'node:crypto';
import { CodrError } from '../base/error.ts';

/**
 * `viewer`: looks at states and names, never at data. `operator`: backs up and keeps the repository well.
 * `restorer`: reads data and gives it back. `admin`: everything, sources and keys too. `peer`: another peer of
 * the cluster, and nothing but that.
 */
export type Role = 'viewer' | 'operator' | 'restorer' | 'admin' | 'peer';

/** Who calls, once it is proven. */
export interface Caller {
  readonly name: string;
  readonly roles: readonly Role[];
}

/** What a caller shows. */
export interface CallerProof {
  /** Common name of a client certificate that one of our authorities has signed. */
  readonly certificateName?: string;
  /** Of `authorization: Bearer …`. */
  readonly token?: string;
}

/** Undefined: nobody we know. */
export type Authorise = (proof: CallerProof) => Caller | undefined;

/** The part of a peer's configuration that says who may call it. */
export interface AccessRules {
  /** Common names of client certificates. */
  readonly certificates: readonly Caller[];
  /** SHA-256 of each token, hex: the token itself stands nowhere. */
  readonly tokens: readonly (Caller & { readonly sha256: string })[];
  /** Common names of the certificates of peers. */
  readonly peers: readonly string[];
}

/** A token decides when one is shown: a wrong one is refused, whatever certificate comes with it. */
export function authoriseBy(rules: AccessRules): Authorise {
  const tokens = rules.tokens.map(({ sha256, ...caller }) => ({ caller, hash: hashOf(sha256) }));
  return ({ token, certificateName }) => {
    if (token !== undefined) {
      const hash = createHash('sha256').update(token).digest();
      return tokens.find((known) => timingSafeEqual(known.hash, hash))?.caller;
    }
    if (certificateName === undefined) return undefined;
    const known = rules.certificates.find(({ name }) => name === certificateName);
    if (!rules.peers.includes(certificateName)) return known;
    return { name: certificateName, roles: [...(known?.roles ?? []), 'peer'] };
  };
}

/** For a peer without TLS (`insecure: true`): whoever reaches it may do everything. */
export const everybody: Authorise = () => ({ name: 'anybody', roles: ['admin', 'peer'] });

function hashOf(hex: string): Buffer {
  if (/^[0-9a-f]{64}$/i.test(hex)) return Buffer.from(hex, 'hex');
  throw new CodrError('config-invalid', 'the sha256 of a token is not 64 hexadecimal digits', {
    remedy: 'make it with: printf %s "$TOKEN" | sha256sum',
  });
}
