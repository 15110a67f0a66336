// Asks the peers that own the slots of fingerprints whether their content is stored, and answers for the slots that
// this peer owns. Every doubt counts as no answer: silence, a refusal, a table of another term, no table at all. Nothing
// is safe only by an answer: what is unknown is stored again, and a commit checks every pack that it relies on.
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { type Epoch, sameEpoch } from './epoch.ts';
import {
  type Answer,
  batchMax,
  decodeAnswer,
  decodeMessage,
  encodeAnswer,
  encodeHint,
  encodeRefusal,
  fingerprintBytes,
  type KnownPack,
  type Question,
  type Said,
  saidBy,
  type Verdict,
} from './fingerprint-codec.ts';
import { PeerLine, type PeerTransport } from './peer-line.ts';
import type { SlotAssignment } from './slot-codec.ts';
import { hashText, type SlotTable, slotOf } from './slot-table.ts';
import { StoringClaims } from './storing-claims.ts';
import { decodeWhere, encodeWhere, type LeafPlace } from './where-codec.ts';

/** What this peer knows of the repository. */
export interface CommittedLeaves {
  /** For each id, 16 bytes back to back, a pack that is committed and not condemned as far as is known here. */
  find(ids: Uint8Array): Promise<(KnownPack | undefined)[]>;
  /** As `find`, and where in the pack. */
  locate(ids: Uint8Array): Promise<(LeafPlace | undefined)[]>;
  /** These lineages have new entries. */
  hint(lineages: readonly string[]): void;
}

export interface ExchangeOptions {
  /** Name of this peer. */
  readonly self: string;
  /** The table as this peer follows it. */
  readonly slots: () => SlotAssignment | undefined;
  readonly transport: PeerTransport;
  readonly leaves: CommittedLeaves;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  readonly log: Logger;
  /** Longest wait for an answer. */
  readonly deadlineMs?: number;
  /** A peer that did not answer is not asked again for so long. */
  readonly silenceMs?: number;
}

/** Since the start, for metrics. */
export interface ExchangeCounts {
  /** Ids asked for, here or elsewhere. */
  asked: number;
  known: number;
  storing: number;
  /** Ids that nobody answered for. */
  unanswered: number;
  /** Ids that this peer answered for others. */
  served: number;
  /** Ids whose place in a pack the owners of their slots said. */
  located: number;
}

const defaultDeadlineMs = 1000;
const defaultSilenceMs = 5000;
/** Who does not say where leaves lie may be of an older version, and the index says it too. */
const whereSilence = 6;
/** Questions of others at a time: each may take 64 MiB of pages of the index, where the table does not say it all. */
const servedMax = 8;
/** The last bits of a session's number say whose it is, so that the claims of a peer that left are void. */
const marks = 4096;
const markOf = (peer: string): number => hashText(peer) % marks;

export class FingerprintExchange {
  readonly counts: ExchangeCounts = {
    ...{ asked: 0, known: 0, storing: 0, unanswered: 0, served: 0, located: 0 },
  };
  readonly #options: ExchangeOptions;
  readonly #claims = new StoringClaims();
  readonly #lines = new Map<string, PeerLine<Said>>();
  readonly #whereLines = new Map<string, PeerLine<LeafPlace | undefined>>();
  /** Questions of others that are being answered. */
  #serving = 0;
  /** Of the table that `of` is: 1 by the mark of each of its peers. */
  #marks: { readonly of: SlotTable; readonly live: Uint8Array } | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /**
   * One verdict an id, in order. Ids are at least 16 bytes. `session` names the piece of work that would store
   * what is unknown; of two the older one has the lower number, the last 12 bits aside. Never rejects.
   */
  async ask(ids: readonly Uint8Array[], session: number): Promise<Said[]> {
    this.counts.asked += ids.length;
    const marked = Math.floor(session / marks) * marks + markOf(this.#options.self);
    const verdicts = await this.#askOwners<Said>(ids, 'unanswered', (owner, epoch, wanted) => {
      const askers = [{ session: marked, count: wanted.length / fingerprintBytes }];
      const question: Question = { epoch, askers, ids: wanted };
      const isHere = owner === this.#options.self;
      return isHere ? this.#answerHere(question) : this.#lineTo(owner).ask(question);
    });
    for (const verdict of verdicts) {
      if (verdict === 'storing') this.counts.storing++;
      else if (verdict === 'unanswered') this.counts.unanswered++;
      else if (verdict) this.counts.known++;
    }
    return verdicts;
  }

  /**
   * Where leaves lie, as the owners of their slots say: undefined where they do not. It may be wrong, so whoever reads
   * there compares. Never rejects.
   */
  async where(ids: readonly Uint8Array[]): Promise<(LeafPlace | undefined)[]> {
    const ask = (owner: string, epoch: Epoch, wanted: Uint8Array) => {
      if (owner === this.#options.self) return this.#locateHere(wanted);
      const askers = [{ session: 0, count: wanted.length / fingerprintBytes }];
      return this.#whereLineTo(owner).ask({ epoch, askers, ids: wanted });
    };
    const places = await this.#askOwners<LeafPlace | undefined>(ids, undefined, ask);
    for (const place of places) if (place) this.counts.located++;
    return places;
  }

  /** Tells every owner of slots, this one too, that the lineages have new entries. Lost hints cost duplicates. */
  committed(lineages: readonly string[]): void {
    const { self, leaves, slots } = this.#options;
    leaves.hint(lineages);
    const hint = encodeHint(lineages);
    for (const peer of slots()?.table.peers ?? []) {
      if (peer !== self) this.#lineTo(peer).tell(hint);
    }
  }

  /** The answer to a message of another peer. Errors: `format-unknown`. */
  async serve(request: Uint8Array): Promise<Uint8Array> {
    const message = decodeMessage(request);
    if (message.kind === 'hint') {
      this.#options.leaves.hint(message.lineages);
      return new Uint8Array(0);
    }
    return await this.#unlessBusy(async () => encodeAnswer(await this.#answer(message.question)));
  }

  /** The answer to a question of another peer about places. Errors: `format-unknown`. */
  async serveWhere(request: Uint8Array): Promise<Uint8Array> {
    const message = decodeMessage(request);
    const { self, slots, leaves } = this.#options;
    const own = slots();
    const here = own?.table.peers.indexOf(self) ?? -1;
    const question = message.kind === 'question' ? message.question : undefined;
    if (!own || here < 0 || !question || !sameEpoch(own.epoch, question.epoch)) {
      return encodeWhere({ epoch: own?.epoch ?? { clusterId: '', revision: 0 }, moved: true });
    }
    const { ids } = question;
    for (let at = 0; at < ids.length; at += fingerprintBytes) {
      // Who asks has another table, for a moment; to look for what is of others costs much.
      if (own.table.owners[slotOf(ids, at)] !== here) {
        return encodeWhere({ epoch: own.epoch, moved: true });
      }
    }
    return await this.#unlessBusy(async () => {
      const places = await leaves.locate(ids);
      this.counts.served += places.length;
      return encodeWhere({ epoch: own.epoch, places, moved: false });
    });
  }

  /** Refuses when what others asked before is still looked for: they have given it up by then, and would ask for ever more. */
  async #unlessBusy(answer: () => Promise<Uint8Array>): Promise<Uint8Array> {
    if (this.#serving >= servedMax) {
      return encodeRefusal(this.#options.slots()?.epoch ?? { clusterId: '', revision: 0 });
    }
    this.#serving++;
    try {
      return await answer();
    } finally {
      this.#serving--;
    }
  }

  /** Asks the owner of each id's slot. `missing` stands where there is none, or it does not answer. */
  async #askOwners<T>(
    ids: readonly Uint8Array[],
    missing: T,
    ask: (owner: string, epoch: Epoch, ids: Uint8Array) => Promise<readonly T[] | undefined>,
  ): Promise<T[]> {
    const assignment = this.#options.slots();
    const said = new Array<T>(ids.length).fill(missing);
    if (!assignment) return said;
    const byOwner = new Map<string, number[]>();
    for (const [i, id] of ids.entries()) {
      const owner = assignment.table.ownerOf(slotOf(id)) ?? '';
      const own = byOwner.get(owner) ?? [];
      if (own.push(i) === 1) byOwner.set(owner, own);
    }
    byOwner.delete(''); // nobody owns those slots
    const asks = [...byOwner].map(async ([owner, places]) => {
      const wanted = fingerprintsOf(ids, places);
      for (let at = 0; at < places.length; at += batchMax) {
        const some = places.slice(at, at + batchMax);
        const part = wanted.subarray(at * fingerprintBytes, (at + some.length) * fingerprintBytes);
        const answers = await ask(owner, assignment.epoch, part);
        // An owner that is silent now will be with the next part.
        if (!answers) return;
        for (const [k, i] of some.entries()) said[i] = answers[k] as T;
      }
    });
    await Promise.all(asks);
    return said;
  }

  /** What cannot be looked up is not answered here, as it is not elsewhere. */
  async #answerHere(question: Question): Promise<readonly Said[] | undefined> {
    try {
      return saidBy(await this.#answer(question));
    } catch (error) {
      this.#options.log.warn({ error }, 'this peer cannot look up what it has stored');
      return undefined;
    }
  }

  async #locateHere(ids: Uint8Array): Promise<readonly (LeafPlace | undefined)[] | undefined> {
    try {
      return await this.#options.leaves.locate(ids);
    } catch (error) {
      this.#options.log.warn({ error }, 'this peer cannot look up where leaves lie');
      return undefined;
    }
  }

  async #answer({ epoch, askers, ids }: Question): Promise<Answer> {
    const { self, slots, leaves, clock } = this.#options;
    const own = slots();
    const here = own?.table.peers.indexOf(self) ?? -1;
    if (!own || here < 0 || !sameEpoch(own.epoch, epoch)) {
      return { epoch: own?.epoch ?? { clusterId: '', revision: 0 }, moved: true };
    }
    const isOwn = (i: number): boolean =>
      own.table.owners[slotOf(ids, i * fingerprintBytes)] === here;
    const verdicts = await findOf(leaves, ids, isOwn);
    // A copy, since words have to be aligned.
    const words = new Uint32Array(new Uint8Array(ids).buffer);
    const nowMs = clock.monotonic();
    const live = this.#liveMarks(own.table);
    let i = 0;
    let moved = false;
    for (const { session, count } of askers) {
      const asker = { session, nowMs };
      const mark = session % marks;
      // A peer sees itself what its other sessions store, and what it asks for again it has given up before.
      const lives = (other: number): boolean => live[other % marks] === 1 && other % marks !== mark;
      for (const end = i + count; i < end; i++) {
        if (!isOwn(i)) {
          moved = true;
        } else if (!verdicts[i]) {
          // Not the first word: it is much the same for all ids of an owner.
          const a = words[i * 4 + 1] as number;
          const b = words[i * 4 + 2] as number;
          if (this.#claims.claim(a, b, asker, lives)) verdicts[i] = 'storing';
        }
      }
    }
    this.counts.served += i;
    return { epoch: own.epoch, verdicts, moved };
  }

  #liveMarks(table: SlotTable): Uint8Array {
    if (this.#marks?.of === table) return this.#marks.live;
    const live = new Uint8Array(marks);
    for (const peer of table.peers) live[markOf(peer)] = 1;
    this.#marks = { of: table, live };
    return live;
  }

  #lineTo(peer: string): PeerLine<Said> {
    const known = this.#lines.get(peer);
    if (known) return known;
    const line = new PeerLine<Said>(peer, {
      ...this.#lineOptions(peer),
      call: (message, signal) => this.#options.transport.call(peer, message, signal),
      decode: (bytes, count) => {
        const answer = decodeAnswer(bytes, count);
        return { ...answer, said: saidBy(answer) };
      },
      consequence: 'what it alone knows may be stored again',
    });
    this.#lines.set(peer, line);
    return line;
  }

  #whereLineTo(peer: string): PeerLine<LeafPlace | undefined> {
    const known = this.#whereLines.get(peer);
    if (known) return known;
    const options = this.#lineOptions(peer);
    const line = new PeerLine<LeafPlace | undefined>(peer, {
      ...options,
      silenceMs: options.silenceMs * whereSilence,
      call: (message, signal) => this.#options.transport.where(peer, message, signal),
      decode: (bytes, count) => {
        const answer = decodeWhere(bytes, count);
        return { ...answer, said: answer.places };
      },
      consequence: 'where its leaves lie is looked up in the index',
    });
    this.#whereLines.set(peer, line);
    return line;
  }

  #lineOptions(peer: string) {
    const { self, clock, log } = this.#options;
    const { deadlineMs = defaultDeadlineMs, silenceMs = defaultSilenceMs } = this.#options;
    assert(peer !== self, 'a peer does not call itself');
    return { clock, log, deadlineMs, silenceMs };
  }
}

/** Looks for own ids alone: to look for what is of others costs much. */
async function findOf(
  leaves: Pick<CommittedLeaves, 'find'>,
  ids: Uint8Array,
  isOwn: (i: number) => boolean,
): Promise<Verdict[]> {
  const count = ids.length / fingerprintBytes;
  const places = Array.from({ length: count }, (_, i) => i).filter(isOwn);
  if (places.length === count) return await leaves.find(ids);
  const all = Array.from({ length: count }, (_, i) =>
    ids.subarray(i * fingerprintBytes, (i + 1) * fingerprintBytes),
  );
  const found = await leaves.find(fingerprintsOf(all, places));
  const verdicts = new Array<Verdict>(count).fill(undefined);
  for (const [k, i] of places.entries()) verdicts[i] = found[k];
  return verdicts;
}

/** Of those places, back to back. */
function fingerprintsOf(ids: readonly Uint8Array[], places: readonly number[]): Uint8Array {
  const wanted = Buffer.allocUnsafe(places.length * fingerprintBytes);
  for (let k = 0; k < places.length; k++) {
    const id = ids[places[k] as number] as Uint8Array;
    const at = k * fingerprintBytes;
    for (let byte = 0; byte < fingerprintBytes; byte++) wanted[at + byte] = id[byte] as number;
  }
  return wanted;
}
