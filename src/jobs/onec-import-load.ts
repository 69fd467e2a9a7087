import type { OnecMapping } from '../config/mapping-onec-types.ts';
import { minorFromNumber } from '../domain/money.ts';
import { type OnecMarks, searchArticle } from '../domain/onec.ts';
import { foldName } from '../domain/onec-text.ts';
import { parsePhone } from '../domain/phone.ts';
import type { AmocrmClient } from '../systems/amocrm/client.ts';
import type { CatalogElement, Deal, ElementLink, Person } from '../systems/amocrm/schema.ts';
import type { OnecReader } from '../systems/onec/api.ts';
import { clientOf, type DealClient, type DealFacts, type DealLine } from './onec-import-deal.ts';

export interface LoadOptions {
  client: AmocrmClient;
  reader: OnecReader;
  mapping: OnecMapping;
  /** Absent: the account has no lists, and deals come without goods. */
  catalogId: number | undefined;
  /** ISO, for phones without a country code. */
  country: string;
}

/**
 * What planning needs of new deals, read in bulk on both sides: clients and goods at amoCRM by 250, at 1C by what is known
 * of them. The number of requests depends on the pages, not on the deals.
 */
export async function loadFacts(deals: readonly Deal[], options: LoadOptions): Promise<Map<number, DealFacts>> {
  const clients = await loadClients(deals, options);
  const lines = await loadLines(deals, options);
  return new Map(
    deals.map((deal) => {
      const chosen = clientOf(deal);
      const client = chosen && clients.get(`${chosen.kind}:${chosen.id}`);
      const facts: DealFacts = {
        dealId: deal.id,
        name: deal.name,
        priceMinor: minorFromNumber(deal.price) ?? 0,
        ...{ pipelineId: deal.pipelineId, statusId: deal.statusId },
        ...{ updatedAt: deal.updatedAt, createdAt: deal.createdAt },
        ...(client === undefined ? {} : { client }),
        lines: lines.get(deal.id) ?? [],
      };
      return [deal.id, facts];
    }),
  );
}

async function loadClients(deals: readonly Deal[], options: LoadOptions): Promise<Map<string, DealClient>> {
  const { client, reader, mapping, country } = options;
  const wanted = deals.map(clientOf).filter((one) => one !== undefined);
  const idsOf = (kind: DealClient['kind']) => [
    ...new Set(wanted.filter((one) => one.kind === kind).map(({ id }) => id)),
  ];
  const [contactIds, companyIds] = [idsOf('contact'), idsOf('company')];
  const contacts = contactIds.length === 0 ? new Map<number, Person>() : await client.contactsByIds(contactIds);
  const companies = companyIds.length === 0 ? new Map<number, Person>() : await client.companiesByIds(companyIds);
  const { fields } = mapping;
  const clients = [
    ...[...contacts.values()].map((person) =>
      clientFrom(person, 'contact', { phone: fields.contactPhone, email: fields.contactEmail }, country),
    ),
    ...[...companies.values()].map((person) =>
      clientFrom(person, 'company', { phone: fields.companyPhone, email: fields.companyEmail }, country),
    ),
  ];
  const standing = await standingClients(clients, reader, mapping);
  return new Map(
    clients.map((one) => {
      const existing = standing.get(one.amoId);
      return [`${one.kind}:${one.amoId}`, existing === undefined ? one : { ...one, existing }];
    }),
  );
}

function clientFrom(
  person: Person,
  kind: DealClient['kind'],
  fieldIds: { phone: number | undefined; email: number | undefined },
  country: string,
): DealClient {
  const phones = valuesOf(person, 'PHONE', fieldIds.phone)
    .map((text) => parsePhone(text, country))
    .filter((phone) => phone !== undefined);
  const emails = valuesOf(person, 'EMAIL', fieldIds.email)
    .map((text) => text.trim().toLowerCase())
    .filter((email) => email.includes('@'));
  return {
    ...{ kind, amoId: person.id, name: person.name },
    ...(person.firstName === '' ? {} : { firstName: person.firstName }),
    ...(person.lastName === '' ? {} : { lastName: person.lastName }),
    ...{ phones: [...new Set(phones)], emails: [...new Set(emails)] },
  };
}

/** The field that the mapping names, else the standard one. */
function valuesOf(thing: Pick<Person, 'fields'>, code: string, fieldId: number | undefined): string[] {
  return thing.fields
    .filter((field) => (fieldId === undefined ? field.code === code : field.fieldId === fieldId))
    .flatMap(({ values }) => values.map(({ value }) => (typeof value === 'string' ? value : String(value ?? ''))));
}

type Standing = NonNullable<DealClient['existing']>;

/** By amoclient, then by phone, then by e-mail. What stands under another deal's client keeps its own id. */
async function standingClients(
  clients: readonly DealClient[],
  reader: OnecReader,
  { catalogs }: OnecMapping,
): Promise<Map<number, Standing>> {
  const { set } = catalogs.counterparty;
  const found = new Map<number, Standing>();
  if (clients.length === 0) return found;
  const marked = await reader.byAmoId(
    'client',
    clients.map(({ amoId }) => amoId),
  );
  for (const { amoId } of clients) {
    const hit = marked.get(amoId)?.find((one) => one.set === set);
    if (hit !== undefined) found.set(amoId, { ref: hit.ref, amoId });
  }
  const rest = clients.filter(({ amoId }) => !found.has(amoId));
  const phones = rest.flatMap((one) => one.phones);
  const emails = rest.flatMap((one) => one.emails);
  if (phones.length + emails.length === 0) return found;
  const hits = await reader.clientsByContact({ phones, emails });
  const byContact = new Map<number, string>();
  for (const { amoId, phones, emails } of rest) {
    const ref =
      phones.map((phone) => hits.phone.get(phone)?.[0]).find((one) => one !== undefined) ??
      emails.map((email) => hits.email.get(email)?.[0]).find((one) => one !== undefined);
    if (ref !== undefined) byContact.set(amoId, ref);
  }
  const marks = byContact.size === 0 ? undefined : await reader.marks(set, [...new Set(byContact.values())]);
  for (const [amoId, ref] of byContact) found.set(amoId, withMark(ref, marks?.get(ref)));
  return found;
}

function withMark(ref: string, marks: OnecMarks | undefined): Standing {
  return marks?.amoId === undefined ? { ref } : { ref, amoId: marks.amoId };
}

async function loadLines(deals: readonly Deal[], options: LoadOptions): Promise<Map<number, DealLine[]>> {
  const { client, catalogId, mapping } = options;
  const links = new Map(deals.map((deal) => [deal.id, deal.elements.filter((one) => one.catalogId === catalogId)]));
  const ids = [...new Set([...links.values()].flat().map(({ elementId }) => elementId))];
  if (catalogId === undefined || ids.length === 0) return new Map();
  const elements = await client.elementsByIds(catalogId, ids);
  const lines = new Map<number, DealLine[]>();
  for (const [dealId, ofDeal] of links) {
    const made = ofDeal.flatMap((link) => {
      const element = elements.get(link.elementId);
      return element === undefined || link.quantity <= 0 ? [] : [lineFrom(link, element, mapping)];
    });
    lines.set(dealId, made);
  }
  return withThings(lines, options);
}

/** A field of the catalog by its code, or by its id as text. */
function column(element: CatalogElement, name: string | undefined): string {
  const field = element.fields.find(
    ({ code, fieldId }) => name !== undefined && (code === name || String(fieldId) === name),
  );
  const value = field?.values[0]?.value;
  return value === undefined || value === null ? '' : String(value).trim();
}

function lineFrom(link: ElementLink, element: CatalogElement, { catalog }: OnecMapping): DealLine {
  const price = column(element, link.priceFieldId === undefined ? catalog.price : String(link.priceFieldId));
  return {
    ...{ elementId: element.id, name: element.name.trim(), quantity: link.quantity },
    article: column(element, catalog.sku),
    maker: column(element, catalog.maker),
    unit: column(element, catalog.unit),
    priceMinor: minorFromNumber(Number(price.replace(/\s/g, '').replace(',', '.') || 0)) ?? 0,
  };
}

type Thing = NonNullable<DealLine['existing']>;

/** What stands for each element in 1C: by amocatalog, else by article and maker, by article or code, by name. */
async function withThings(
  lines: ReadonlyMap<number, DealLine[]>,
  { reader, mapping }: LoadOptions,
): Promise<Map<number, DealLine[]>> {
  const all = new Map([...lines.values()].flat().map((line) => [line.elementId, line]));
  const marked = await reader.byAmoId('item', [...all.keys()]);
  const things = new Map<number, Thing>();
  for (const elementId of all.keys()) {
    for (const kind of ['item', 'work'] as const) {
      const hit = marked.get(elementId)?.find(({ set }) => set === mapping.catalogs[kind].set);
      if (hit !== undefined && !things.has(elementId)) things.set(elementId, { kind, ref: hit.ref, amoId: elementId });
    }
  }
  const rest = [...all.values()].filter(({ elementId }) => !things.has(elementId));
  for (const [elementId, thing] of await matchThings(rest, reader, mapping)) things.set(elementId, thing);
  const unknown = rest.filter(({ elementId, maker }) => maker !== '' && !things.has(elementId));
  const makers =
    unknown.length === 0
      ? new Map<string, string>()
      : await reader.makersByName([...new Set(unknown.map((one) => one.maker))]);
  const complete = (line: DealLine): DealLine => {
    const existing = things.get(line.elementId);
    const makerRef = makers.get(line.maker);
    return { ...line, ...(existing && { existing }), ...(makerRef === undefined ? {} : { makerRef }) };
  };
  return new Map([...lines].map(([dealId, ofDeal]) => [dealId, ofDeal.map(complete)]));
}

async function matchThings(
  lines: readonly DealLine[],
  reader: OnecReader,
  { catalog, catalogs }: OnecMapping,
): Promise<Map<number, Thing>> {
  const makersKnown = catalog.maker !== undefined;
  const withArticle = lines.filter(({ article }) => searchArticle(article) !== '');
  const asItems = withArticle.filter(({ maker }) => maker !== '' || !makersKnown);
  const asWorks = withArticle.filter(({ maker }) => maker === '');
  const nameless = lines.filter(({ article, name }) => searchArticle(article) === '' && name !== '');
  const articlesOf = (some: readonly DealLine[]) => [...new Set(some.map(({ article }) => article))];
  const namesOf = (some: readonly DealLine[]) => [...new Set(some.map(({ name }) => name))];
  const items = asItems.length === 0 ? [] : await reader.itemsByArticle(articlesOf(asItems));
  const named = nameless.length === 0 ? [] : await reader.itemsByName(namesOf(nameless));
  const workLines = [...asWorks, ...nameless];
  const works =
    workLines.length === 0
      ? []
      : await reader.works({
          articles: articlesOf(asWorks),
          names: namesOf(workLines.filter(({ name }) => name !== '')),
        });
  const found = new Map<number, Thing>();
  const take = (line: DealLine, kind: Thing['kind'], thing: { ref: string } | undefined) => {
    if (thing !== undefined && !found.has(line.elementId)) found.set(line.elementId, { kind, ref: thing.ref });
  };
  const sameName = (line: DealLine) => (one: { name: string }) => foldName(one.name) === foldName(line.name);
  for (const line of lines) {
    const article = searchArticle(line.article);
    if (asItems.includes(line)) {
      const hits = items.filter((one) => searchArticle(one.article) === article);
      take(
        line,
        'item',
        hits.find(({ maker }) => line.maker === '' || foldName(maker) === foldName(line.maker)),
      );
    }
    if (nameless.includes(line)) take(line, 'item', named.find(sameName(line)));
    if (!workLines.includes(line)) continue;
    const byArticle = works.find(
      (one) => article !== '' && [one.article, one.code].some((text) => searchArticle(text) === article),
    );
    // Where makers are not told, an article without a work of its own may still be an item's; its name decides nothing.
    take(line, 'work', byArticle ?? (article === '' || makersKnown ? works.find(sameName(line)) : undefined));
  }
  return withThingMarks(found, reader, catalogs);
}

/** The elements that the matched things name already. */
async function withThingMarks(
  found: ReadonlyMap<number, Thing>,
  reader: OnecReader,
  catalogs: OnecMapping['catalogs'],
): Promise<Map<number, Thing>> {
  const marked = new Map<number, Thing>();
  for (const kind of ['item', 'work'] as const) {
    const ofKind = [...found].filter(([, thing]) => thing.kind === kind);
    if (ofKind.length === 0) continue;
    const marks = await reader.marks(catalogs[kind].set, [...new Set(ofKind.map(([, { ref }]) => ref))]);
    for (const [elementId, thing] of ofKind) {
      const amoId = marks.get(thing.ref)?.amoId;
      marked.set(elementId, amoId === undefined ? thing : { ...thing, amoId });
    }
  }
  return marked;
}
