// Who runs a restore, as the target's marker names it: the process, and the run within it, so that another
// run of the same restore is refused while this one lives, in this process too.
import type { TargetOwner } from '../../connector/restore-target.ts';
import {
  nameOf,
  type ProcessIdentity,
  type ProcessProbe,
} from '../../repository/lineage/writer.ts';

interface OwnerId {
  readonly process: ProcessIdentity;
  readonly run: string;
}

/** Runs of this very process that have not ended. */
const running = new Set<string>();

/** `run`: random hex. Hold it as long as the restore goes on. */
export function openOwner(probe: ProcessProbe, run: string): TargetOwner & Disposable {
  running.add(run);
  const id: OwnerId = { process: probe.self, run };
  return {
    id: JSON.stringify(id),
    name: nameOf(probe.self),
    async isAlive(text) {
      const other = JSON.parse(text) as OwnerId;
      if (running.has(other.run)) return 'alive';
      const { pid, host, bootId, pidSpace, startTicks } = other.process;
      const { self } = probe;
      const isSelf =
        pid === self.pid &&
        host === self.host &&
        bootId === self.bootId &&
        pidSpace === self.pidSpace &&
        startTicks === self.startTicks;
      return isSelf ? 'dead' : await probe.isAlive(other.process);
    },
    [Symbol.dispose]() {
      running.delete(run);
    },
  };
}
