// Files whose clusters are three nodes with nothing special: a ring starts once for all of them.
import '../../src/connector/cassandra/session/check-cassandra.cassandra.test.ts';
import '../../src/connector/cassandra/session/take-cut.cassandra.test.ts';
import '../../src/connector/cassandra/target/sstable-target.cassandra.test.ts';
import '../../src/connector/cassandra/target/proof.cassandra.test.ts';
import './files-of-peers.cassandra.test.ts';
