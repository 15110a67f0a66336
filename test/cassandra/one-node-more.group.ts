// More files that want the one node of `one-node.group.ts`, beside which they run: the longest of them.
import './commands.cassandra.test.ts';
import './large-tables.cassandra.test.ts';
import './path-b.cassandra.test.ts';
import './restore.cassandra.test.ts';
import './shared-cut.cassandra.test.ts';
import './shared-restore.cassandra.test.ts';
