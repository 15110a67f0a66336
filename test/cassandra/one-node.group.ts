// Files whose clusters are one node with nothing special: one serves them all, and is warm after the first.
import '../../src/connector/cassandra/key/comparable.cassandra.test.ts';
import '../../src/connector/cassandra/session/link-limit.cassandra.test.ts';
import '../../src/connector/cassandra/session/release.cassandra.test.ts';
import '../../src/connector/cassandra/sstable/write.cassandra.test.ts';
import '../../src/connector/cassandra/target/file-layout.cassandra.test.ts';
import './01-10-values.cassandra.test.ts';
import './11-19-deletions.cassandra.test.ts';
import './26-35-schema.cassandra.test.ts';
import './path-b.cassandra.test.ts';
import './restore.cassandra.test.ts';
