/** What the reader of 1C remembers between runs; in a dry run writes stay in memory. Values are JSON. */
export interface OnecCache {
  /** The value kept under `key`, if it is no older than `maxAgeMs`; else what `load` gives, kept from then on. A `load` that throws keeps nothing. */
  cached<T>(key: string, maxAgeMs: number, load: () => Promise<T>): Promise<T>;
  fact(key: string): Promise<string | undefined>;
  setFact(key: string, value: string): Promise<void>;
  /**
   * The reference of an object of this entity set in whose additional information we have written a mark: asked for along with
   * others, it shows whether a filter tells the truth.
   */
  knownMark(set: string): Promise<string | undefined>;
}
