import { type Customer, phoneKey } from './model.ts';

/** Who has a number or an externalId, without a walk through all customers. */
export interface CustomerBook {
  /** After every change of the customer's phones, externalId or store. */
  put(customer: Customer): void;
  drop(id: number): void;
  /** Ids of those who have the number, however it is spelt; the oldest first. */
  byPhone(phone: string): number[];
  byExternalId(externalId: string, site: string): number | undefined;
}

export function customerBook(): CustomerBook {
  const phones = new Map<string, Set<number>>();
  const names = new Map<string, number>();
  const known = new Map<number, { phones: readonly string[]; name: string | undefined }>();
  const nameOf = (externalId: string, site: string) => `${site}\n${externalId}`;

  function drop(id: number): void {
    const before = known.get(id);
    for (const phone of before?.phones ?? []) phones.get(phone)?.delete(id);
    if (before?.name !== undefined && names.get(before.name) === id) names.delete(before.name);
    known.delete(id);
  }

  return {
    drop,
    put({ id, externalId, site, phones: given }) {
      drop(id);
      const keys = [...new Set(given.map(({ number }) => phoneKey(number)))].filter((key) => key !== '');
      for (const key of keys) {
        const owners = phones.get(key);
        if (owners) owners.add(id);
        else phones.set(key, new Set([id]));
      }
      const name = externalId === undefined ? undefined : nameOf(externalId, site);
      if (name !== undefined) names.set(name, id);
      known.set(id, { phones: keys, name });
    },
    byPhone: (phone) => [...(phones.get(phoneKey(phone)) ?? [])].sort((one, other) => one - other),
    byExternalId: (externalId, site) => names.get(nameOf(externalId, site)),
  };
}
