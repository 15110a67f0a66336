// Whether a cluster has strength left while its files are read: by what the nodes say whose control answers at once.
import type { NodeControl } from './control.ts';

/** Requests that wait in a stage at one look: about as many as the server has threads for it. */
const waitingMax = 32;
/** A node that does not answer in this time is not waited for. */
const deadlineMs = 5000;

type Asked = Pick<NodeControl, 'address' | 'strain'>;

export class ClusterPressure {
  /** By node, what it had given up at the last look. */
  readonly #dropped = new Map<string, number>();

  /** Why the cluster is to be read more slowly; undefined: no reason. A node that cannot be asked says nothing. */
  async look(controls: readonly Asked[], signal: AbortSignal): Promise<string | undefined> {
    const asked = controls.map(async (control) => {
      try {
        return await this.#ask(control, signal);
      } catch {
        signal.throwIfAborted();
        return undefined;
      }
    });
    return (await Promise.all(asked)).find((why) => why !== undefined);
  }

  async #ask(control: Asked, signal: AbortSignal): Promise<string | undefined> {
    const { address } = control;
    const said = await control.strain?.({ signal, deadlineMs });
    if (!said) return undefined;
    const before = this.#dropped.get(address) ?? said.dropped;
    this.#dropped.set(address, said.dropped);
    // A node that began anew counts from 0.
    const more = said.dropped - before;
    if (more > 0) return `node ${address} has given up ${more} messages`;
    if (said.waiting < waitingMax) return undefined;
    return `${said.waiting} requests wait for a thread of node ${address}`;
  }
}
