import { createCard } from './card-apply.ts';
import { parseCard } from './card-draft.ts';
import { catalogOwner, putElement } from './catalogs.ts';
import { GOODS_CATALOG, PRICE_FIELD, SKU_FIELD } from './defaults.ts';
import { fieldsFromPlain } from './fields.ts';
import { addLink } from './link-write.ts';
import type { EntityType } from './model.ts';
import { type Changes, linkElement, wireCard } from './person.ts';
import { reader } from './reader.ts';
import type { World } from './world.ts';

interface SeedCard extends Changes {
  /** Unix seconds; the account's now where absent. */
  created_at?: number;
}

interface SeedDeal extends SeedCard {
  contacts?: readonly number[];
  companies?: readonly number[];
  elements?: readonly { id: number; quantity: number }[];
}

interface SeedElement {
  catalog_id?: number;
  name: string;
  sku?: string;
  price?: number;
  custom_fields?: Record<string, unknown>;
}

/** Content that was always there: it makes no events and is in the lists at once. */
export interface SeedContent {
  contacts?: readonly SeedCard[];
  companies?: readonly SeedCard[];
  elements?: readonly SeedElement[];
  deals?: readonly SeedDeal[];
  /** So many of each, all different, the same in every run. */
  generate?: { contacts?: number; companies?: number; elements?: number; deals?: number };
}

/** The ids made, in the order given; generated ones last. */
export interface SeededIds {
  contacts: number[];
  companies: number[];
  elements: number[];
  deals: number[];
}

export function seedContent(world: World, content: SeedContent): SeededIds {
  const ids: SeededIds = { contacts: [], companies: [], elements: [], deals: [] };
  const { generate = {} } = content;
  world.quietly(() => {
    const contacts = [...(content.contacts ?? []), ...times(generate.contacts, generatedContact)];
    const companies = [...(content.companies ?? []), ...times(generate.companies, generatedCompany)];
    const elements = [...(content.elements ?? []), ...times(generate.elements, generatedElement)];
    const deals = [...(content.deals ?? []), ...times(generate.deals, generatedDeal)];
    ids.contacts = contacts.map((card) => seedCard(world, 'contacts', card));
    ids.companies = companies.map((card) => seedCard(world, 'companies', card));
    ids.elements = elements.map((element) => seedElement(world, element));
    ids.deals = deals.map((deal) => seedDeal(world, deal));
  });
  return ids;
}

function times<T>(count: number | undefined, make: (n: number) => T): T[] {
  return Array.from({ length: count ?? 0 }, (_, i) => make(i + 1));
}

function seedCard(world: World, type: EntityType, card: SeedCard): number {
  const issues: Parameters<typeof reader>[1] = [];
  const at = card.created_at ?? world.seconds();
  const draft = parseCard(
    world,
    type,
    reader({ ...wireCard(world, type, card), created_at: at, updated_at: at }, issues),
  );
  const first = issues[0];
  if (first) throw new Error(`amoCRM stand-in: seed of ${type}: ${first.code} at ${first.path}`);
  return createCard(world, type, draft).id;
}

function seedDeal(world: World, deal: SeedDeal): number {
  const { contacts = [], companies = [], elements = [], ...card } = deal;
  const id = seedCard(world, 'leads', card);
  for (const contact of contacts) addLink(world, 'leads', id, 'contacts', contact);
  for (const company of companies) addLink(world, 'leads', id, 'companies', company);
  for (const element of elements) linkElement(world, id, element.id, element.quantity);
  return id;
}

function seedElement(world: World, element: SeedElement): number {
  const catalogId = element.catalog_id ?? GOODS_CATALOG;
  const plain = {
    ...element.custom_fields,
    ...(element.sku === undefined ? {} : { [SKU_FIELD]: element.sku }),
    ...(element.price === undefined ? {} : { [PRICE_FIELD]: element.price }),
  };
  const fields = fieldsFromPlain(world, catalogOwner(catalogId), plain);
  return putElement(world, catalogId, { name: element.name, fields, before: undefined }).id;
}

/** People write phones as they like; the client has to find them all the same. */
const SPELLINGS: readonly ((digits: string) => string)[] = [
  (digits) => `+7${digits}`,
  (digits) => `8${digits}`,
  (digits) => `+7 (${digits.slice(0, 3)}) ${digits.slice(3, 6)}-${digits.slice(6, 8)}-${digits.slice(8)}`,
];

function generatedContact(n: number): SeedCard {
  const spell = SPELLINGS[n % SPELLINGS.length] ?? String;
  return {
    first_name: 'Контакт',
    last_name: String(n),
    phones: [spell(`700${String(n).padStart(7, '0')}`)],
    emails: [`contact-${n}@sdelka.example`],
  };
}

function generatedCompany(n: number): SeedCard {
  return { name: `ТОО «Компания ${n}»`, phones: [`+7727${String(n).padStart(7, '0')}`] };
}

function generatedElement(n: number): SeedElement {
  return { name: `Товар ${n}`, sku: `SKU-${String(n).padStart(6, '0')}`, price: 1000 + n };
}

function generatedDeal(n: number): SeedDeal {
  return { name: `Сделка ${n}`, price: 1000 * (1 + (n % 50)) };
}
