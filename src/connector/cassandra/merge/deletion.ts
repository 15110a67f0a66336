// A deletion as the merge keeps it: marked for delete at in two 32-bit halves, local deletion time. None is the
// smallest timestamp there is, as in Cassandra (db/DeletionTime.java), so comparing needs no special case.
import { deletionBytes } from '../record/record-layout.ts';

const noneHi = -0x80000000;

/** Mutable, so that the data path makes no objects. */
export class Deletion {
  hi = noneHi;
  lo = 0;
  time = 0;

  get isNone(): boolean {
    return this.hi === noneHi && this.lo === 0;
  }

  clear(): void {
    this.hi = noneHi;
    this.lo = 0;
    this.time = 0;
  }

  set(hi: number, lo: number, time: number): void {
    this.hi = hi;
    this.lo = lo;
    this.time = time;
  }

  copy(other: Deletion): void {
    this.set(other.hi, other.lo, other.time);
  }

  /** Takes on the other where it is the greater one: higher mark, at a tie later local deletion time. */
  raise(other: Deletion): void {
    if (other.supersedes(this)) this.copy(other);
  }

  supersedes(other: Deletion): boolean {
    return other.isBelow(this.hi, this.lo, this.time);
  }

  /** Whether the deletion said by its numbers supersedes this one. */
  isBelow(hi: number, lo: number, time: number): boolean {
    if (hi !== this.hi) return hi > this.hi;
    if (lo !== this.lo) return lo > this.lo;
    return time > this.time;
  }

  equals(other: Deletion): boolean {
    return this.hi === other.hi && this.lo === other.lo && this.time === other.time;
  }

  /** Whether data of this timestamp is gone: it is not newer than the mark. */
  shadows(hi: number, lo: number): boolean {
    return hi < this.hi || (hi === this.hi && lo <= this.lo);
  }

  read(bytes: Uint8Array, at: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, deletionBytes);
    this.set(view.getInt32(0), view.getUint32(4), view.getUint32(8));
  }

  write(bytes: Uint8Array, at: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, deletionBytes);
    view.setInt32(0, this.hi);
    view.setUint32(4, this.lo);
    view.setUint32(8, this.time);
  }
}
