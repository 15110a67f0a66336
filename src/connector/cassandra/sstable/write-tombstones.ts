// The estimate of when tombstones and expiring cells can go, as Cassandra keeps it in STATS: at most 100 points
// of time with counts. Points are rounded up to minutes and gathered in a hash table first; those in excess are
// merged, nearest first. The order in which the table gives its points out decides how they merge, so the table
// is laid out as Cassandra's (utils/streamhist/StreamingTombstoneHistogramBuilder.java, 4.0 to 5.0).

const binCountMax = 100;
const roundSeconds = 60;
/** 100,000 rounded up to a power of two; twice as many slots. */
const spoolCapacity = 131_072;
const probesMax = 100;
const hashFactor = 948_701_839;
/** The last second that `nb` can hold. */
export const deletionTimeMax = 0x7ffffffe;

export class TombstoneHistogram {
  readonly #points: number[] = [];
  readonly #counts: number[] = [];
  /** Points + 1, so that 0 is a free slot. Made when first needed. */
  #spoolPoints = new Uint32Array(0);
  #spoolCounts = new Uint32Array(0);
  #spoolSize = 0;
  /** The slot of the point added last: rows written together expire together. */
  #lastPoint = -1;
  #lastSlot = 0;

  /** One more tombstone of this second. */
  add(second: number): void {
    const excess = second % roundSeconds;
    const point = excess === 0 ? second : Math.min(second + roundSeconds - excess, deletionTimeMax);
    if (point === this.#lastPoint) {
      this.#spoolCounts[this.#lastSlot] = (this.#spoolCounts[this.#lastSlot] as number) + 1;
      return;
    }
    if (!this.#spool(point)) {
      this.#drain();
      this.#spool(point);
    }
  }

  /** Points ascending and their counts. */
  finish(): { points: readonly number[]; counts: readonly number[] } {
    this.#drain();
    return { points: this.#points, counts: this.#counts };
  }

  #spool(point: number): boolean {
    if (this.#spoolPoints.length === 0) {
      this.#spoolPoints = new Uint32Array(2 * spoolCapacity);
      this.#spoolCounts = new Uint32Array(2 * spoolCapacity);
    }
    if (this.#spoolSize > spoolCapacity) return false;
    const home = Math.imul(point, hashFactor) & (spoolCapacity - 1);
    for (let i = 0; i < probesMax; i++) {
      const slot = (home + i) % this.#spoolPoints.length;
      const held = this.#spoolPoints[slot] as number;
      if (held !== 0 && held !== point + 1) continue;
      if (held === 0) this.#spoolSize++;
      this.#spoolPoints[slot] = point + 1;
      this.#spoolCounts[slot] = (this.#spoolCounts[slot] as number) + 1;
      this.#lastPoint = point;
      this.#lastSlot = slot;
      return true;
    }
    return false;
  }

  #drain(): void {
    if (this.#spoolSize === 0) return;
    this.#spoolPoints.forEach((held, slot) => {
      if (held !== 0) this.#insert(held - 1, this.#spoolCounts[slot] as number);
    });
    this.#spoolPoints.fill(0);
    this.#spoolCounts.fill(0);
    this.#spoolSize = 0;
    this.#lastPoint = -1;
  }

  #insert(point: number, count: number): void {
    const points = this.#points;
    let at = points.length;
    while (at > 0 && (points[at - 1] as number) >= point) at--;
    if (points[at] === point) {
      this.#counts[at] = (this.#counts[at] as number) + count;
      return;
    }
    points.splice(at, 0, point);
    this.#counts.splice(at, 0, count);
    if (points.length > binCountMax) this.#mergeNearest();
  }

  /** The first of the nearest pairs becomes one point, their weighted middle rounded up. */
  #mergeNearest(): void {
    const points = this.#points;
    let nearest = 0;
    for (let i = 1; i + 1 < points.length; i++) {
      if (this.#distance(i) < this.#distance(nearest)) nearest = i;
    }
    const [a, b] = [points[nearest] as number, points[nearest + 1] as number];
    const [m, n] = [this.#counts[nearest] as number, this.#counts[nearest + 1] as number];
    const middle = Number((BigInt(a) * BigInt(m) + BigInt(b) * BigInt(n)) / BigInt(m + n));
    const excess = middle % roundSeconds;
    const rounded =
      excess === 0 ? middle : Math.min(middle + roundSeconds - excess, deletionTimeMax);
    points.splice(nearest, 2, rounded);
    this.#counts.splice(nearest, 2, m + n);
  }

  #distance(at: number): number {
    return (this.#points[at + 1] as number) - (this.#points[at] as number);
  }
}
