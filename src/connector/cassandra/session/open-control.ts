// Chooses the driver of a node's control by its configuration.
import type { ControlConfig } from './cassandra-config.ts';
import type { NodeControl } from './control.ts';
import { JolokiaControl } from './jolokia-control.ts';
import { NodetoolControl } from './nodetool-control.ts';

/** Connects to nothing yet. Errors: `config-invalid`. */
export function openControl(address: string, config: ControlConfig): NodeControl {
  return 'jolokia' in config
    ? new JolokiaControl(address, config)
    : new NodetoolControl(address, config.nodetool);
}
