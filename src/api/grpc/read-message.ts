// The answer to a reading, as bytes of its message, read from the file into their place, in memory that is used again: a
// megabyte at a time, each copy costs as much as the reading, and fresh memory more.
import type { ServiceDefinition } from '@grpc/grpc-js';
import { serviceNamed } from './protos.ts';

/** Of `ReadResponse.bytes`: field 2, with a length before it. */
const tag = (2 << 3) | 2;
/** Room for tag and length. */
const headBytes = 6;
/** Rooms of one size that wait to be used again. */
const sparesMax = 8;

export class ReadRooms {
  #spare: Buffer[] = [];
  #bytes = 0;

  /** `read` puts at most `length` bytes into the room, and says how many. */
  async answer(length: number, read: (room: Buffer) => Promise<number>): Promise<ReadAnswer> {
    if (length !== this.#bytes) this.#spare = [];
    this.#bytes = length;
    const all = this.#spare.pop() ?? Buffer.allocUnsafeSlow(headBytes + length);
    return new ReadAnswer(all, await read(all.subarray(headBytes)), this);
  }

  giveBack(all: Buffer): void {
    if (all.length !== headBytes + this.#bytes || this.#spare.length >= sparesMax) return;
    this.#spare.push(all);
  }
}

export class ReadAnswer {
  readonly #all: Buffer;
  readonly #count: number;
  readonly #rooms: ReadRooms;
  #isCopied = false;

  constructor(all: Buffer, count: number, rooms: ReadRooms) {
    this.#all = all;
    this.#count = count;
    this.#rooms = rooms;
  }

  /** The library copies it at once into its frame. */
  message(): Buffer {
    const head = [tag];
    let left = this.#count;
    for (; left >= 0x80; left >>>= 7) head.push((left & 0x7f) | 0x80);
    head.push(left);
    const start = headBytes - head.length;
    this.#all.set(head, start);
    this.#isCopied = true;
    return this.#all.subarray(start, headBytes + this.#count);
  }

  /** It was handed over: what the library has not asked for by now it keeps. */
  sent(): void {
    if (this.#isCopied) this.#rooms.giveBack(this.#all);
  }
}

/** The service, whose readings may be such answers. */
export function filesService(name: string): ServiceDefinition {
  const { Read: read, ...others } = serviceNamed(name);
  if (!read) throw new Error(`${name} reads`);
  const responseSerialize = (answer: object): Buffer =>
    answer instanceof ReadAnswer ? answer.message() : read.responseSerialize(answer);
  return { ...others, Read: { ...read, responseSerialize } };
}
