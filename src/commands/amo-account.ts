import { RemoteError } from '../base/remote-error.ts';
import type { AmocrmClient, FieldOwner } from '../systems/amocrm/client.ts';
import type { Account, Catalog, Field, LossReason, Pipeline, User } from '../systems/amocrm/schema.ts';

/** Everything of an account that a mapping may name by id. */
export interface AccountMap {
  account: Account;
  pipelines: Pipeline[];
  lossReasons: LossReason[];
  users: User[];
  fields: { deals: Field[]; contacts: Field[]; companies: Field[] };
  catalogs: (Catalog & { fields: Field[] })[];
  /** What could not be read, and why; the rest stands all the same. */
  gaps: string[];
}

/** A table for people: plain text cells, ids as they are. */
export interface AccountTable {
  title: string;
  head: string[];
  rows: string[][];
}

/** Reads the account; some ten requests. Parts that the token's user may not see, or that the plan lacks, become `gaps`. */
export async function readAccountMap(client: AmocrmClient): Promise<AccountMap> {
  const gaps: string[] = [];
  const part = async <T>(name: string, read: Promise<T[]>): Promise<T[]> => {
    try {
      return await read;
    } catch (error) {
      if (!(error instanceof RemoteError) || !NOT_FOR_US.has(error.status ?? 0)) throw error;
      gaps.push(`${name}: ${error.message}`);
      return [];
    }
  };
  const account = await client.getAccount(['datetime_settings']);
  const pipelines = await client.listPipelines();
  const fieldsOf = (name: string, owner: FieldOwner) => part(name, client.listFields(owner));
  const catalogs: AccountMap['catalogs'] = [];
  for (const catalog of await part('catalogs', client.listCatalogs())) {
    const fields = await fieldsOf(`fields of catalog ${catalog.id}`, { catalogId: catalog.id });
    catalogs.push({ ...catalog, fields });
  }
  return {
    account,
    pipelines,
    lossReasons: await part('loss reasons', client.listLossReasons()),
    users: await part('users', client.listUsers()),
    fields: {
      deals: await fieldsOf('fields of deals', 'deals'),
      contacts: await fieldsOf('fields of contacts', 'contacts'),
      companies: await fieldsOf('fields of companies', 'companies'),
    },
    catalogs,
    gaps,
  };
}

/** Not paid for, not allowed, not there: no reason to hide the rest. A blocked account (an HTML 403) never gets here: the first request fails. */
const NOT_FOR_US: ReadonlySet<number> = new Set([402, 403, 404]);

/** The account as tables, for a terminal. */
export function accountTables(map: AccountMap): AccountTable[] {
  const fieldTables: [string, Field[]][] = [
    ['Fields of deals', map.fields.deals],
    ['Fields of contacts', map.fields.contacts],
    ['Fields of companies', map.fields.companies],
    ...map.catalogs.map((catalog): [string, Field[]] => [
      `Fields of catalog ${catalog.id} ${oneLine(catalog.name)}`,
      catalog.fields,
    ]),
  ];
  const tables: AccountTable[] = [
    {
      title: 'Pipelines and stages',
      head: ['pipeline', 'stage', 'name'],
      rows: map.pipelines.flatMap((pipeline) => [
        [String(pipeline.id), '', `${oneLine(pipeline.name)}${pipeline.isMain ? ' (main)' : ''}`],
        ...pipeline.statuses.map((status) => [String(pipeline.id), String(status.id), oneLine(status.name)]),
      ]),
    },
    { title: 'Loss reasons', head: ['id', 'name'], rows: map.lossReasons.map((r) => [String(r.id), oneLine(r.name)]) },
    {
      title: 'Users',
      head: ['id', 'name', 'state'],
      rows: map.users.map((user) => [String(user.id), oneLine(user.name), user.isActive ? 'active' : 'inactive']),
    },
    {
      title: 'Catalogs',
      head: ['id', 'type', 'name'],
      rows: map.catalogs.map((catalog) => [String(catalog.id), catalog.type, oneLine(catalog.name)]),
    },
    ...fieldTables.map(([title, fields]) => fieldTable(title, fields)),
  ];
  return tables.filter((table) => table.rows.length > 0);
}

function fieldTable(title: string, fields: readonly Field[]): AccountTable {
  return {
    title,
    head: ['id', 'type', 'code', 'name', 'choices'],
    rows: fields.map((field) => [
      String(field.id),
      field.type,
      field.code ?? '',
      oneLine(field.name),
      field.enums.map((choice) => `${choice.id} ${oneLine(choice.value)}`).join(', '),
    ]),
  };
}

/** Fields that other integrations, too, use for an order's code. */
const LOOKS_LIKE_ORDER_CODE = /kaspi|каспи|код заказа|номер заказа|order.?(code|id|number)|external.?id/i;

/**
 * A mapping to start from: valid as it stands, with this account's ids, and everything that might be wanted beside it as comments.
 * A name typed by people may hold anything, so it only ever stands in a comment, on one line.
 */
export function mappingSkeleton(map: AccountMap): string {
  const main = map.pipelines.find((pipeline) => pipeline.isMain && !pipeline.isArchive) ?? map.pipelines[0];
  const code = map.fields.deals.find((field) => field.type === 'text' && LOOKS_LIKE_ORDER_CODE.test(field.name));
  const loss = map.lossReasons[0];
  const lost = loss === undefined ? 'status: 143' : `status: 143, loss_reason: ${loss.id}`;
  const lines = [
    `# A mapping for amoCRM account ${map.account.id} (${oneLine(map.account.subdomain)}), to start from.`,
    ...map.gaps.map((gap) => `# Not readable: ${oneLine(gap)}`),
    'kaspi:',
    '  deal:',
    '    name: "Kaspi #{code}"',
    '    tags: ["Kaspi", "{state}"]',
    ...(code === undefined
      ? ['    # external_id_field: a text field of deals for the order code; make one, and put its id here']
      : [`    external_id_field: ${code.id} # ${oneLine(code.name)}`]),
    '    # fields: ids of deal fields, each with a template, e.g. 900102: "{deliveryAddress.formattedAddress}"',
    ...map.fields.deals.map((field) => `    #   ${field.id}: ${field.type}, ${oneLine(field.name)}`),
    '  stages:',
    ...stageComments(main),
    '    - { when: { status: COMPLETED }, status: 142 }',
    `    - { when: { status: CANCELLED }, ${lost} }`,
    ...map.lossReasons.map((reason) => `    # loss reason ${reason.id}: ${oneLine(reason.name)}`),
  ];
  return `${lines.join('\n')}\n`;
}

function stageComments(pipeline: Pipeline | undefined): string[] {
  if (pipeline === undefined) return [];
  return [
    `    # stages of pipeline ${pipeline.id} (${oneLine(pipeline.name)}); set AMO_PIPELINE_ID to it:`,
    ...pipeline.statuses.map((status) => `    #   ${status.id}: ${oneLine(status.name)}`),
    '    # - { when: { state: KASPI_DELIVERY, assembled: true }, status: one of them }',
  ];
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}
