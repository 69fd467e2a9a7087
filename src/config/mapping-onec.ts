import { catalogs, constants, defaults } from './mapping-onec-catalogs.ts';
import { documentMapping, name } from './mapping-onec-documents.ts';
import { catalogFields, exportPart, fields, importPart, statuses, users } from './mapping-onec-exchange.ts';
import { laidOver, namedByOperator, USUAL_PRESET } from './mapping-onec-merge.ts';
import type { OnecDocKey, OnecMapping } from './mapping-onec-types.ts';
import {
  list,
  type MapContext,
  map,
  mapped,
  oneOf,
  optional,
  positive,
  type Reader,
  required,
  text,
  withDefault,
} from './shape.ts';
import { zone } from './variables.ts';

/** As the file has it: `operations` stand under `defaults`. */
type Parts = Omit<OnecMapping, 'defaults' | 'operations'> & {
  defaults: Pick<OnecMapping, 'defaults' | 'operations'>;
};

const timeZone: Reader<string> = (value, path, report) => {
  const read = zone().parse(typeof value === 'string' ? value : '');
  if (read === undefined) report(path, `expected ${zone().expects}`);
  return read;
};

const server = map<OnecMapping['server']>({
  timeZone: optional(timeZone),
  pageSize: withDefault(100, positive),
  ifMatch: withDefault('auto', oneOf('auto', 'always', 'never')),
  requestTimeoutSec: optional(positive),
  firstRequestTimeoutSec: optional(positive),
});

const documents = map<OnecMapping['documents']>(
  {
    workOrder: optional(documentMapping),
    customerOrder: optional(documentMapping),
    repairRequest: optional(documentMapping),
    repairSummary: optional(documentMapping),
  },
  ({ given, fail }) => {
    if (!given('workOrder') && !given('customerOrder')) {
      fail('workOrder', 'missing, and so is customerOrder: one of them at least stands for deals');
    }
  },
);

const USUAL_PROPERTIES = {
  lead: 'amolead',
  client: 'amoclient',
  item: 'amocatalog',
  exportedAt: 'Дата выгрузки на сайт',
  updatedAt: 'Дата обновления',
  writtenAt: 'Дата записи',
  idType: 'auto',
} as const;

const properties = map<OnecMapping['properties']>({
  register: required(name),
  chart: required(name),
  lead: withDefault(USUAL_PROPERTIES.lead, text),
  client: withDefault(USUAL_PROPERTIES.client, text),
  item: withDefault(USUAL_PROPERTIES.item, text),
  exportedAt: withDefault(USUAL_PROPERTIES.exportedAt, text),
  updatedAt: withDefault(USUAL_PROPERTIES.updatedAt, text),
  writtenAt: withDefault(USUAL_PROPERTIES.writtenAt, text),
  idType: withDefault(USUAL_PROPERTIES.idType, oneOf('auto', 'number', 'string')),
});

const changes = mapped(
  map<OnecMapping['changes']>({
    strategy: withDefault(['property', 'field', 'dataVersion'], list(oneOf('property', 'field', 'dataVersion'))),
    field: optional(name),
    created: optional(name),
  }),
  (read): OnecMapping['changes'] => ({
    ...read,
    strategy: read.strategy.filter((way) => way !== 'field' || read.field !== undefined),
  }),
);

/** What an import makes, by `import.as`; `auto` takes the customer's order where a chain cannot be. */
const MADE: Readonly<Record<OnecMapping['import']['as'], readonly OnecDocKey[]>> = {
  chain: ['workOrder', 'repairRequest', 'repairSummary'],
  customerOrder: ['customerOrder'],
  auto: [],
};

function check({ values, fail }: MapContext<Parts>): void {
  if (values.documents === undefined || values.import === undefined) return;
  const { documents: known } = values;
  const missing = MADE[values.import.as].filter((type) => known[type] === undefined);
  if (missing.length > 0) fail('import', `as: ${values.import.as} needs ${missing.join(', ')} under documents`);
}

const parts = mapped(
  map<Parts>(
    {
      preset: withDefault(USUAL_PRESET, oneOf('alfa-auto-6', 'ut-11', 'unf', 'none')),
      server: withDefault({}, server),
      documents: withDefault({}, documents),
      catalogs: withDefault({}, catalogs),
      properties: withDefault({}, properties),
      changes: withDefault({}, changes),
      defaults: withDefault({}, defaults),
      constants: withDefault({}, constants),
      statuses: withDefault([], statuses),
      fields: withDefault({}, fields),
      catalog: withDefault({}, catalogFields),
      users: withDefault({}, users),
      import: withDefault({}, importPart),
      export: withDefault({}, exportPart),
    },
    check,
  ),
  (read): OnecMapping => ({ ...read, ...read.defaults }),
);

/** The `onec` part of the mapping, laid over its preset. */
export const readOnecMapping: Reader<OnecMapping> = (value, path, report) => {
  const read = parts(laidOver(value), path, report);
  return read === undefined ? undefined : { ...read, named: namedByOperator(value, USUAL_PROPERTIES) };
};
