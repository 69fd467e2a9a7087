import type { SandboxAnswer } from '../kit.ts';
import type { Fields, User } from './model.ts';
import { type Call, type Filter, filtersOf, flag, notFound, ok, paged, pageOf } from './wire.ts';

type Reference = Readonly<Record<string, Fields>>;

function reference(rows: readonly [code: string, name: string, more?: Fields][]): Reference {
  const entry = ([code, name, more]: (typeof rows)[number], index: number) =>
    [code, { name, code, active: true, ordering: (index + 1) * 10, ...more }] as const;
  return Object.fromEntries(rows.map(entry));
}

/** The stock statuses of a new account. */
export const STATUSES: Reference = reference([
  ['new', 'Новый', { group: 'new' }],
  ['availability-confirmed', 'Наличие подтверждено', { group: 'approval' }],
  ['client-confirmed', 'Согласовано с клиентом', { group: 'approval' }],
  ['prepayed', 'Предоплата поступила', { group: 'approval' }],
  ['send-to-assembling', 'Передано в комплектацию', { group: 'assembling' }],
  ['assembling', 'Комплектуется', { group: 'assembling' }],
  ['send-to-delivery', 'Передан в доставку', { group: 'delivery' }],
  ['delivering', 'Доставляется', { group: 'delivery' }],
  ['complete', 'Выполнен', { group: 'complete' }],
  ['no-call', 'Недозвон', { group: 'cancel' }],
]);

const STATUS_GROUPS: Reference = reference(
  ['new', 'approval', 'assembling', 'delivery', 'complete', 'cancel'].map((group) => {
    const statuses = Object.keys(STATUSES).filter((code) => STATUSES[code]?.group === group);
    return [group, group, { process: group !== 'complete' && group !== 'cancel', statuses }];
  }),
);

export const ORDER_METHODS: Reference = reference([
  ['shopping-cart', 'Через корзину', { defaultForCrm: false, defaultForApi: true }],
  ['phone', 'По телефону', { defaultForCrm: true, defaultForApi: false }],
  ['missed-call', 'Пропущенный звонок', { defaultForCrm: false, defaultForApi: false }],
]);

export function getApiVersions(): SandboxAnswer {
  return ok({ versions: ['3.0', '4.0', '5.0'] });
}

export function getCredentials({ world }: Call): SandboxAnswer {
  const { scopes, sites } = world.options;
  return ok({
    scopes,
    credentials: ['/api/integration-modules/{code}', '/api/integration-modules/{code}/edit'],
    siteAccess: 'access_selective',
    sitesAvailable: sites,
  });
}

export function getSettings({ world }: Call): SandboxAnswer {
  const day = { start_time: '09:00', end_time: '18:00', lunch_start_time: '13:00', lunch_end_time: '14:00' };
  return ok({
    settings: {
      default_currency: { value: 'RUB' },
      system_language: { value: 'RU' },
      timezone: { value: world.options.timeZone },
      work_times: ['Mo', 'Tu', 'We', 'Th', 'Fr'].map((day_type) => ({ day_type, ...day })),
    },
  });
}

const USER_FILTERS: Record<string, Filter<User>> = {
  active: flag(({ active }) => active),
  isManager: flag(({ isManager }) => isManager),
  isAdmin: flag(({ isAdmin }) => isAdmin),
};

export function getUsers(call: Call): SandboxAnswer {
  const page = pageOf(call);
  const keep = filtersOf(call, USER_FILTERS, ['email', 'status', 'online', 'groups', 'createdAtFrom', 'createdAtTo']);
  const { items, pagination } = paged([...call.world.users.values()].filter(keep), page);
  return ok({ pagination, users: items.map((user) => ({ ...user, groups: [] })) });
}

export function getUser({ world, params }: Call): SandboxAnswer {
  const user = world.users.get(Number(params.key));
  if (!user) throw notFound();
  return ok({ user: { ...user, groups: [] } });
}

/** References come whole, as maps by code. */
export function getReference({ world, params }: Call): SandboxAnswer {
  if (params.key === 'statuses') return ok({ statuses: STATUSES });
  if (params.key === 'status-groups') return ok({ statusGroups: STATUS_GROUPS });
  if (params.key === 'order-methods') return ok({ orderMethods: ORDER_METHODS });
  const sites = world.options.sites.map((code, index) => [
    code,
    {
      id: index + 1,
      name: `Магазин ${index + 1}`,
      url: `https://${code}.example`,
      code,
      currency: 'RUB',
      countryIso: 'RU',
      defaultForCrm: index === 0,
      ordering: (index + 1) * 10,
      isDemo: false,
      contragent: { contragentType: 'legal-entity' },
    },
  ]);
  return ok({ sites: Object.fromEntries(sites) });
}
