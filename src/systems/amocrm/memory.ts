import type { Link } from '../../domain/effect.ts';

export type IndexedEntity = 'contacts' | 'companies';

/** Phones (E.164) and e-mails (lower case) of one contact or company. */
export interface IndexedPerson {
  id: number;
  phones: readonly string[];
  emails: readonly string[];
}

/** What the effects remember of the account between runs. `state/` fills this port; a dry run keeps its writes in memory. */
export interface AmoMemory {
  /** Remote ids of the keys that are bound. */
  bound(keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  bind(links: readonly Link[]): Promise<void>;
  unbind(keys: readonly string[]): Promise<void>;
  /** The newest remote ids of a kind that were bound before the time: records known to exist, for positive controls. */
  controls(kind: string, before: Date): Promise<readonly number[]>;
  index: {
    /** Value → ids of the entities that had it when last seen, ascending. */
    find(entity: IndexedEntity, kind: 'phone' | 'email', values: readonly string[]): Promise<Map<string, number[]>>;
    /** Replaces what is known of these entities. */
    put(entity: IndexedEntity, people: readonly IndexedPerson[]): Promise<void>;
    drop(entity: IndexedEntity, ids: readonly number[]): Promise<void>;
  };
  /** Small facts kept as text, e.g. how far the index is filled. */
  fact(key: string): Promise<string | undefined>;
  setFact(key: string, value: string): Promise<void>;
  /** A remote answer that changes rarely; asked for again when older than `maxAgeMs`. */
  cached<T>(key: string, maxAgeMs: number, load: () => Promise<T>): Promise<T>;
}
