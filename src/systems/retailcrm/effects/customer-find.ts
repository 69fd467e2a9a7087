import { isWithheld } from '../errors.ts';
import { phonesTyped } from '../phones.ts';
import type { Customer } from '../schema.ts';
import type { RetailEffectOptions } from './context.ts';

const INDEX_FACT = 'index';
/** A customer made by others meanwhile is found by the look-up that follows later than this. */
const FRESH_MS = 5 * 60_000;
const AT_ONCE = 8;
const CHUNK = 1000;

/** Who may have a phone, as far as the choice between several hangs on it. */
type Candidate = Pick<Customer, 'id' | 'site' | 'ordersCount'>;

/**
 * Whose phones these are: by what is known here, by an index of all customers that is read once, by a look-up of each phone that is new since.
 * RetailCRM keeps numbers as typed, and its filters are not to be trusted: whoever is found counts only if one of his phones is ours.
 */
export function customerFinder(options: RetailEffectOptions) {
  const { crm, memory, country, now, log, signal } = options;
  let readWholeAt: number | undefined;
  let byTelephony = true;

  async function find(phones: readonly string[]): Promise<Map<string, number>> {
    const wanted = [...new Set(phones)];
    const found = new Map(await memory.customers(wanted));
    const unknown = () => wanted.filter((phone) => !found.has(phone));
    const take = (owners: ReadonlyMap<string, Candidate>) => {
      for (const phone of unknown()) {
        const owner = owners.get(phone);
        if (owner) found.set(phone, owner.id);
      }
    };
    if (unknown().length > 0 && (await memory.fact(INDEX_FACT)) === undefined) take(await readIndex());
    const isFresh = readWholeAt !== undefined && now().getTime() - readWholeAt < FRESH_MS;
    if (unknown().length > 0 && !isFresh && !signal.aborted) take(await lookUp(unknown()));
    return found;
  }

  const phonesOf = (customer: Customer) => phonesTyped(customer.phones, country);

  /** All customers; what fails midway is begun anew the next time. */
  async function readIndex(): Promise<Map<string, Candidate>> {
    const startedAt = now();
    const owners = new Map<string, Candidate>();
    const seen = new Set<number>();
    const totals = new Set<number | undefined>();
    for await (const { rows, total } of crm.customers()) {
      totals.add(total);
      for (const customer of rows) {
        const { id, site, ordersCount } = customer;
        seen.add(id);
        for (const phone of phonesOf(customer)) own(owners, phone, { id, site, ordersCount });
      }
      if (signal.aborted) return owners;
    }
    await remember(owners);
    await memory.setFact(INDEX_FACT, startedAt.toISOString());
    // Pages shift where customers come or go meanwhile, and one may have slipped through: then every phone is looked up.
    const [total] = totals;
    if (totals.size === 1 && total === seen.size) readWholeAt = startedAt.getTime();
    log?.info({ customers: seen.size, phones: owners.size }, 'customers of RetailCRM indexed');
    return owners;
  }

  function own(owners: Map<string, Candidate>, phone: string, candidate: Candidate): void {
    const other = owners.get(phone);
    if (other === undefined || precedes(candidate, other, crm.site)) owners.set(phone, candidate);
  }

  async function remember(owners: ReadonlyMap<string, Candidate>): Promise<void> {
    const phonesById = new Map<number, string[]>();
    for (const [phone, { id }] of owners) phonesById.set(id, [...(phonesById.get(id) ?? []), phone]);
    const people = [...phonesById].map(([customerId, phones]) => ({ customerId, phones }));
    for (let at = 0; at < people.length; at += CHUNK) await memory.put(people.slice(at, at + CHUNK));
  }

  async function lookUp(phones: readonly string[]): Promise<Map<string, Candidate>> {
    const owners = new Map<string, Candidate>();
    const queue = [...phones];
    const work = async () => {
      for (let phone = queue.shift(); phone !== undefined && !signal.aborted; phone = queue.shift()) {
        for (const customer of await candidates(phone)) {
          if (phonesOf(customer).includes(phone)) own(owners, phone, customer);
        }
      }
    };
    const stop = (error: unknown) => {
      queue.length = 0;
      throw error;
    };
    await Promise.all(Array.from({ length: AT_ONCE }, () => work().catch(stop)));
    await remember(owners);
    return owners;
  }

  async function candidates(phone: string): Promise<Customer[]> {
    if (byTelephony) {
      try {
        const { customer } = await crm.managerByPhone(phone);
        if (customer === undefined) return [];
        // Who only looks alike may stand before the one whose phone it is.
        if (phonesOf(customer).includes(phone)) return [customer];
      } catch (error) {
        // The key may lack the right, or the account the method. While telephony is off, clients wait as their calls do: the search finds fewer.
        if (!isWithheld(error)) throw error;
        // One phone that is refused says nothing of the others.
        if (error.status !== 400) byTelephony = false;
      }
    }
    return (await crm.customersBySearch(tailOf(phone))).customers;
  }

  return { find };
}

/** Stored as `8…`, `80…` or `+7…`, a number ends alike: ten digits in the zone of +7, nine in that of +375 and elsewhere. */
function tailOf(phone: string): string {
  return phone.slice(phone.startsWith('+7') ? -10 : -9);
}

/** Of several with one phone: of our store, then who has ordered, then who came first. */
function precedes(one: Candidate, other: Candidate, site: string | undefined): boolean {
  const rank = (candidate: Candidate) => [
    site !== undefined && candidate.site === site ? 0 : 1,
    candidate.ordersCount > 0 ? 0 : 1,
    candidate.id,
  ];
  const [a, b] = [rank(one), rank(other)];
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}
