// Certificates are renewed by replacing their files: these are read again every minute. Files that do not belong
// together, as in the middle of a renewal, leave those that are in use, and are told once.
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { type Pem, readPem } from './peer-config.ts';

const lookMs = 60_000;

/** Calls `renewed` whenever the files have another content. Until the signal is aborted. */
export async function watchCertificates(
  first: Pem,
  renewed: (pem: Pem) => void,
  {
    clock,
    log,
    signal,
  }: { readonly clock: Clock; readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  let now = first;
  let isFaulty = false;
  for (;;) {
    await clock.sleep(lookMs, signal).catch(() => {});
    if (signal.aborted) return;
    try {
      const next = readPem('tls', first.files);
      isFaulty = false;
      if (next.ca.equals(now.ca) && next.cert.equals(now.cert) && next.key.equals(now.key))
        continue;
      renewed(next);
      now = next;
      log.info({}, 'the certificates are renewed');
    } catch (error) {
      if (!isFaulty) log.warn({ error }, 'the certificates are not renewed: those before go on');
      isFaulty = true;
    }
  }
}
