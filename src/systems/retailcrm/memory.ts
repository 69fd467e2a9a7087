import type { CustomerPhones } from '../../domain/call.ts';

/** What the effects of one enterprise remember between runs; `state/retail.ts` fills this port. In a dry run it keeps what it is told to itself. */
export interface RetailMemory {
  /** phone (E.164) → the customer who has it, as far as is known here. */
  customers(phones: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** A phone that is known already keeps its customer. */
  put(people: readonly CustomerPhones[]): Promise<void>;
  /** RetailCRM says that these phones belong to others or to nobody: forgotten here. */
  drop(phones: readonly string[]): Promise<void>;
  fact(key: string): Promise<string | undefined>;
  setFact(key: string, value: string): Promise<void>;
  /** An answer that may be up to `maxAgeMs` old; asked for where there is none. */
  cached<T>(key: string, maxAgeMs: number, load: () => Promise<T>): Promise<T>;
}
