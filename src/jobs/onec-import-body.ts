import type {
  OnecDocKey,
  OnecDocumentMapping,
  OnecMapping,
  OnecRole,
  OnecTable,
} from '../config/mapping-onec-types.ts';
import { minorFromNumber, numberFromMinor } from '../domain/money.ts';
import { dealMarker, EMPTY_REF } from '../domain/onec.ts';
import { foldName } from '../domain/onec-text.ts';
import type { OnecEntity } from '../systems/onec/api.ts';
import { keys, type RefNeeds } from '../systems/onec/effects/payloads.ts';
import type { DealClient, DealFacts, DealLine, ImportOptions } from './onec-import-deal.ts';

/** A new object's own values, and those that are the remote ids of other effects. */
export interface Body {
  body: OnecEntity;
  refs: RefNeeds;
}

/** A line that 1C can take: its thing stands there already, or an effect makes it. */
export interface PlacedLine {
  line: DealLine;
  kind: 'item' | 'work';
  thing: { ref: string } | { key: string };
}

/** What a document of a deal is made of beside its own kind. */
export interface DocumentParts {
  type: OnecDocKey;
  deal: DealFacts;
  /** Absent: the document is made without a client. */
  clientKey: string | undefined;
  contractKey: string | undefined;
  /** The document that this one is based on. */
  base: { type: OnecDocKey; key: string } | undefined;
  /** Names from the row of the table of stages; undefined: as in `defaults`. */
  organization: string | undefined;
  department: string | undefined;
  /** The reference of the state in which it is born, where the document holds its state itself. */
  state: string | undefined;
  lines: readonly PlacedLine[];
}

/** Comments hold 500 characters in Alfa-Auto 6, names of catalogs 100; a longer text is cut by 1C without a word. */
const COMMENT_LENGTH = 500;
const NAME_LENGTH = 100;

/** Properties that `defaults` fill, each under its role's own name in the mapping. */
const ROLES = [
  'warehouse',
  'priceType',
  'workPriceType',
  'repairKind',
  'workshop',
  'currency',
  'author',
  'manager',
] as const satisfies readonly (OnecRole & keyof OnecDocumentMapping)[];

/** A document of the chain, or the customer's order. */
export function documentBody(mapping: OnecDocumentMapping, parts: DocumentParts, options: ImportOptions): Body {
  const { refs, localNow, mapping: whole } = options;
  const values: OnecEntity = { ...whole.constants[parts.type] };
  const needs: RefNeeds = {};
  const put = (property: string | undefined, value: string | undefined) => {
    if (property !== undefined && value !== undefined) values[property] = value;
  };
  const need = (property: string | undefined, key: string | undefined) => {
    if (property !== undefined && key !== undefined) needs[property] = key;
  };
  values[mapping.date] = localNow;
  put(mapping.comment, commentOf(parts.deal));
  const place = placeOf(parts, options);
  put(mapping.organization, place.organization);
  put(mapping.department, place.department);
  for (const role of ROLES) put(mapping[role], refs.roles[role]);
  put(mapping.operation, refs.operations[parts.type]);
  put(mapping.due, localNow);
  put(mapping.phone, parts.deal.client?.phones[0]);
  put(mapping.email, parts.deal.client?.emails[0]);
  need(mapping.counterparty, parts.clientKey);
  need(mapping.customer, parts.clientKey);
  need(mapping.contract, parts.contractKey);
  const { base } = parts;
  const baseSet = base && whole.documents[base.type]?.set;
  if (mapping.base && base && baseSet !== undefined) {
    needs[mapping.base.field] = base.key;
    if (mapping.base.typed) values[`${mapping.base.field}_Type`] = `StandardODATA.${baseSet}`;
  }
  if (base?.type === 'repairSummary') need(mapping.chain, base.key);
  if (mapping.state?.kind === 'field') put(mapping.state.field, parts.state);
  for (const kind of ['item', 'work'] as const) {
    const table = kind === 'item' ? mapping.goods : mapping.works;
    const lines = parts.lines.filter((one) => one.kind === kind);
    if (table !== undefined && lines.length > 0) fillTable(values, needs, table, lines, kind, options);
  }
  return { body: values, refs: needs };
}

/** Whose document it is: as the row of the table of stages says, else as `defaults` do. */
function placeOf(
  { organization, department }: Pick<DocumentParts, 'organization' | 'department'>,
  { refs }: Pick<ImportOptions, 'refs'>,
) {
  return {
    organization: organization === undefined ? refs.roles.organization : refs.organizations.get(foldName(organization)),
    department: department === undefined ? refs.roles.department : refs.departments.get(foldName(department)),
  };
}

/** The deal's name for people, and the marker by which a half-made chain is found again. */
function commentOf({ dealId, name }: DealFacts): string {
  const marker = dealMarker(dealId);
  return `${name.trim().slice(0, COMMENT_LENGTH - marker.length - 1)} ${marker}`.trim();
}

function fillTable(
  values: OnecEntity,
  needs: RefNeeds,
  table: OnecTable,
  lines: readonly PlacedLine[],
  kind: 'item' | 'work',
  { mapping, refs }: ImportOptions,
): void {
  values[table.table] = lines.map(({ line, thing }, index) => {
    const row: OnecEntity = { ...mapping.constants[kind === 'item' ? 'goodsRow' : 'worksRow'] };
    const put = (column: string | undefined, value: string | number | undefined) => {
      if (column !== undefined && value !== undefined) row[column] = value;
    };
    if ('ref' in thing) row[table.item] = thing.ref;
    else needs[`${table.table}.${index}.${table.item}`] = thing.key;
    const sum = lineSum(line);
    put(table.id, rowId(index + 1));
    put(table.qty, line.quantity);
    put(table.price, numberFromMinor(line.priceMinor));
    put(table.sum, sum);
    put(table.total, sum);
    put(table.vat, refs.roles.vat);
    put(table.unit, kind === 'item' ? refs.roles.unit : undefined);
    put(table.factor, 1);
    return row;
  });
}

/** In whole units. A weighed quantity makes fractions of a hundredth, which 1C does not take. */
function lineSum({ quantity, priceMinor }: DealLine): number {
  return numberFromMinor(minorFromNumber((quantity * priceMinor) / 100) ?? 0);
}

/** 36 characters, as 1C's own identifiers of rows; other tables of the document refer to it. */
function rowId(number: number): string {
  return `${EMPTY_REF.slice(0, -12)}${String(number).padStart(12, '0')}`;
}

/** A counterparty for a contact or a company of amoCRM. */
export function clientBody(client: DealClient, { mapping, refs }: ImportOptions): OnecEntity {
  const { counterparty } = mapping.catalogs;
  const company = client.kind === 'company';
  const body: OnecEntity = { ...mapping.constants.counterparty };
  const put = (property: string | undefined, value: string | undefined) => {
    if (property !== undefined && value !== undefined && value !== '') body[property] = value;
  };
  const parts = [client.lastName, client.firstName].filter((part) => part !== undefined && part !== '');
  const name =
    client.name.trim() || parts.join(' ') || client.phones[0] || client.emails[0] || `amoCRM ${client.amoId}`;
  body.Description = name.slice(0, NAME_LENGTH);
  put(counterparty.fullName, name);
  put(counterparty.legalForm, company ? counterparty.legalValue : counterparty.personValue);
  put('Parent_Key', refs.roles.counterpartyFolder);
  if (!company) {
    // A private person needs one of the names; who has none apart gets the whole as the first name.
    put(counterparty.firstName, parts.length === 0 ? name : client.firstName);
    put(counterparty.lastName, client.lastName);
  }
  if (counterparty.contacts !== undefined) {
    const rows = contactRows(client, mapping, refs);
    if (rows.length > 0) body[counterparty.contacts] = rows;
  }
  return body;
}

function contactRows(client: DealClient, { catalogs }: OnecMapping, refs: ImportOptions['refs']): OnecEntity[] {
  const names = catalogs.counterparty;
  const row = (type: string, kind: string | undefined, text: string, column: string | undefined, value: string) => ({
    [names.contactType]: type,
    ...(names.contactKind === undefined || kind === undefined ? {} : { [names.contactKind]: kind }),
    [names.contactText]: text,
    ...(column === undefined ? {} : { [column]: value }),
  });
  return [
    ...client.phones.map((phone) =>
      row(names.phoneType, refs.phoneKind, phone, names.contactPhone, phone.replace(/\D/g, '')),
    ),
    ...client.emails.map((email) => row(names.emailType, refs.emailKind, email, names.contactEmail, email)),
  ];
}

/** A contract of a counterparty, which 1C asks for before it posts an order. */
export function contractBody(
  clientKey: string,
  place: Pick<DocumentParts, 'organization' | 'department'>,
  options: ImportOptions,
): Body {
  const { contract } = options.mapping.catalogs;
  const body: OnecEntity = { Description: 'Основной договор', ...options.mapping.constants.contract };
  if (contract === undefined) return { body, refs: {} };
  const { organization, department } = placeOf(place, options);
  if (contract.organization !== undefined && organization !== undefined) body[contract.organization] = organization;
  if (contract.department !== undefined && department !== undefined) body[contract.department] = department;
  const { currency } = options.refs.roles;
  if (contract.currency !== undefined && currency !== undefined) body[contract.currency] = currency;
  return { body, refs: { [contract.owner]: clientKey } };
}

/** An item or a work for a line that nothing stands for in 1C. */
export function thingBody(line: DealLine, kind: 'item' | 'work', { mapping, refs }: ImportOptions): OnecEntity {
  const { roles } = refs;
  const { item, work } = mapping.catalogs;
  const body: OnecEntity = { ...mapping.constants[kind] };
  const put = (property: string | undefined, value: string | undefined) => {
    if (property !== undefined && value !== undefined && value !== '') body[property] = value;
  };
  const name = line.name.trim() || line.article;
  body.Description = name.slice(0, NAME_LENGTH);
  if (kind === 'item') {
    put(item.fullName, name);
    put(item.article, line.article);
    put(item.maker, line.makerRef);
    put(item.unit, roles.unit);
    put(item.type, roles.itemType);
    put(item.vat, roles.vat);
    put('Parent_Key', roles.itemFolder);
    return body;
  }
  put(work.fullName, name);
  put(work.article, line.article);
  put(work.item, roles.workItem);
  put(work.type, roles.workType);
  put('Parent_Key', roles.workFolder);
  return body;
}

/** The keys of a deal's documents. */
export function documentKey(type: OnecDocKey, dealId: number): string {
  if (type === 'repairRequest') return keys.request(dealId);
  return type === 'repairSummary' ? keys.summary(dealId) : keys.document(dealId);
}
