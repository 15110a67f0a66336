// Every expected failure, its exit code, what it means and what to do. docs/reference/errors.md is
// generated from this table; an exit code is documented here and nowhere else.

/** The exit codes of the `codr` program. */
export const exitCodes = {
  0: 'done',
  1: 'failed',
  2: 'wrong usage or configuration',
  3: 'done in part; the output names what is missing',
  4: 'time not restorable',
  5: 'target not empty or not fit',
  6: 'proof failed: bytes differ',
  7: 'no repository there',
  8: 'wrong key',
  9: 'repository or source damaged or unreachable',
  10: 'busy (names who) or lost leadership; try again',
  130: 'interrupted; the work can be resumed',
} as const;

export type ExitCode = keyof typeof exitCodes;

interface CatalogueEntry {
  readonly exit: ExitCode;
  /** One sentence: what this code means. */
  readonly meaning: string;
  /** What to do unless the error itself says something better. */
  readonly remedy: string;
}

const entry = (exit: ExitCode, meaning: string, remedy: string): CatalogueEntry => ({
  exit,
  meaning,
  remedy,
});

export const errorCatalogue = {
  failed: entry(1, 'something failed that has no code of its own', 'see the cause'),
  usage: entry(2, 'a command or option is wrong', 'see `codr help` for the command'),
  'config-invalid': entry(2, 'a configuration value is wrong', 'correct the value'),
  'source-unknown': entry(2, 'no source of that name is registered', 'see `codr source list`'),
  'source-exists': entry(2, 'a source of that name is registered already', 'choose another name'),
  'namespace-unknown': entry(2, 'a namespace filter matches nothing at that time', 'see `codr ls`'),
  'record-unknown': entry(2, 'no record with that key at that time', 'see `codr get --history`'),
  partial: entry(3, 'the work was done in part', 'see what the output names'),
  'time-not-restorable': entry(4, 'no restorable interval holds that time', 'see `codr points`'),
  'target-not-empty': entry(
    5,
    'the target holds data under a name of the restore',
    'use --drop, or --rename to restore beside it',
  ),
  'target-unfit': entry(5, 'the target cannot take what is to be restored', 'see the cause'),
  'target-rights': entry(5, 'the rights on the target do not suffice', 'grant the named rights'),
  'proof-failed': entry(
    6,
    'what was read back differs from what was to be restored',
    'do not use the target; restore again and report this',
  ),
  'repository-missing': entry(
    7,
    'there is no repository at that place',
    'correct the place, or mount its disk; only where none was yet: `codr init`',
  ),
  'repository-exists': entry(
    2,
    'there is a repository at that place already',
    'use it, or choose another place',
  ),
  'key-missing': entry(
    8,
    'no passphrase or key file was given',
    'give --password-file or --key-file',
  ),
  'key-wrong': entry(
    8,
    'no key slot opens with what was given',
    'give the right passphrase or key file',
  ),
  'key-last': entry(2, 'the last key slot cannot be removed', 'add another slot first'),
  'object-missing': entry(9, 'an object of the repository is missing', 'run `codr check`'),
  'object-damaged': entry(9, 'an object of the repository is damaged', 'run `codr check`'),
  'lineage-broken': entry(9, 'the chain of commits of a source is broken', 'run `codr check`'),
  'format-unknown': entry(9, 'the repository needs a newer CODR', 'upgrade CODR'),
  'store-unfit': entry(9, 'the store does not keep a promise that CODR needs', 'use another store'),
  'store-unreachable': entry(
    9,
    'the store does not answer or is full',
    'free or mend it; the work resumes',
  ),
  'source-unreachable': entry(9, 'the source does not answer', 'check the address and the network'),
  'source-rights': entry(9, 'the rights on the source do not suffice', 'grant the named roles'),
  'source-unfit': entry(
    9,
    'the source is not of a kind or state that can be protected',
    'see the cause',
  ),
  'source-other-identity': entry(
    9,
    'another cluster answers at the address of the source',
    'let the right cluster answer there, or add its address as another source; accept this one with `codr source rebase`',
  ),
  'file-damaged': entry(
    9,
    'a file of the source is damaged or incomplete',
    'other replicas hold its data; mend or replace the named one',
  ),
  gap: entry(
    9,
    'the log of the source no longer holds what comes next',
    'a new base copy closes the hole',
  ),
  'snapshot-too-old': entry(
    9,
    'the source no longer holds the snapshot',
    'read again at a newer time',
  ),
  'coordinator-unreachable': entry(
    9,
    'what peers agree through (etcd) does not answer',
    'see that most of its members run and that they can be reached from here',
  ),
  'coordinator-refused': entry(
    9,
    'what peers agree through (etcd) refuses what CODR asks',
    'see the cause',
  ),
  'coordinator-replaced': entry(
    10,
    'what peers agree through (etcd) was wiped or restored while CODR ran',
    'run the command again; nothing of a repository is lost',
  ),
  'transaction-in-doubt': entry(
    10,
    'no answer came to a transaction of peers, and it cannot be told whether it happened',
    'run the command again when etcd answers',
  ),
  busy: entry(10, 'another process holds what this one needs', 'wait for it, or stop it'),
  'lease-lost': entry(10, 'a lease ended while work was going on', 'run the command again'),
  'peer-lost': entry(10, 'a peer could not be reached or fell silent', 'see `codr status`'),
  'limit-reached': entry(
    1,
    'this machine gives the program too few open files, or too little memory',
    'raise the named limit, and run the command again',
  ),
  'operation-unknown': entry(2, 'no operation has that id', 'see `codr ops`'),
  'access-denied': entry(
    8,
    'the peer does not know the caller, or the caller may not do that',
    'give the certificate or token of one who may',
  ),
  'peer-unreachable': entry(
    10,
    'the peer does not answer',
    'check --node and the network; try again',
  ),
  interrupted: entry(130, 'the work was interrupted', 'run the same command again to resume'),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof errorCatalogue;
