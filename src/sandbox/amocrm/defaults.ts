import type { Catalog, CustomField, FieldEnum, FieldOwner, LossReason, Pipeline, Status, User } from './model.ts';

/** The user whose rights the tokens carry: writes by the API are theirs. */
export const TOKEN_USER = 12380450;

export const GOODS_CATALOG = 5501;

/** Ids of the standard fields, for seeds and snapshots. */
export const PHONE_FIELD = { contacts: 800001, companies: 800011 } as const;
export const EMAIL_FIELD = { contacts: 800002, companies: 800012 } as const;
export const SKU_FIELD = 700001;
export const PRICE_FIELD = 700002;

function status(id: number, name: string, sort: number): Status {
  return { id, name, sort, is_editable: id > 1000, color: id > 1000 ? '#99ccff' : '#d5d8db', type: 0 };
}

function unsorted(id: number): Status {
  return { id, name: 'Неразобранное', sort: 10, is_editable: false, color: '#c1c1c1', type: 1 };
}

const FINAL: readonly Status[] = [
  status(142, 'Успешно реализовано', 10_000),
  status(143, 'Закрыто и не реализовано', 11_000),
];

const WORKSHOP_STAGES: readonly [id: number, name: string][] = [
  [67494164, 'Новый заказ'],
  [67458414, 'Заказ в работе'],
  [67458418, 'Размещен заказ'],
  [67490750, 'Отказ поставщика'],
  [67458422, 'Резерв у поставщика'],
  [67458426, 'Отгружен поставщиком'],
  [67489658, 'Пришел на склад'],
  [67489662, 'Сборка заказа на складе'],
  [67489666, 'Отгружен заказ складом'],
  [67489670, 'В доставке'],
  [67489674, 'Передано получателю, ожидает оплаты'],
  [76501214, 'Закрыт'],
];

export function defaultPipelines(): Pipeline[] {
  return [
    {
      id: 10226282,
      name: 'Kaspi',
      sort: 1,
      is_main: true,
      is_unsorted_on: true,
      is_archive: false,
      statuses: [
        unsorted(80953550),
        status(80953554, 'Новый', 20),
        status(80953555, 'Принят', 30),
        status(80953556, 'Упакован', 40),
        status(80953560, 'Передан на доставку', 50),
        status(80953590, 'Оплата не прошла', 60),
        ...FINAL,
      ],
    },
    {
      id: 10226290,
      name: 'Сервис',
      sort: 2,
      is_main: false,
      is_unsorted_on: true,
      is_archive: false,
      statuses: [unsorted(80953600), status(80953601, 'Записан', 20), status(80953602, 'В работе', 30), ...FINAL],
    },
    // A car service that works in 1C; stages and fields below are those of mapping.example.yaml.
    {
      id: 8266734,
      name: 'Автосервис',
      sort: 3,
      is_main: false,
      is_unsorted_on: true,
      is_archive: false,
      statuses: [
        unsorted(67458410),
        ...WORKSHOP_STAGES.map(([id, name], index) => status(id, name, 20 + index * 10)),
        ...FINAL,
      ],
    },
  ];
}

export function defaultUsers(): User[] {
  return [
    { id: TOKEN_USER, name: 'Айгерим', email: 'aigerim@sdelka.example', is_admin: true, is_active: true },
    { id: 12380451, name: 'Бывший сотрудник', email: 'former@sdelka.example', is_admin: false, is_active: false },
  ];
}

export function defaultLossReasons(): LossReason[] {
  return [{ id: 4203748, name: 'Отменён покупателем', sort: 100 }];
}

export function defaultCatalogs(): Catalog[] {
  return [{ id: GOODS_CATALOG, name: 'Товары', type: 'products', sort: 10 }];
}

function codes(firstId: number, names: readonly string[]): FieldEnum[] {
  return names.map((code, i) => ({ id: firstId + i, value: code, code, sort: (i + 1) * 10 }));
}

const PHONE_CODES = ['WORK', 'WORKDD', 'MOB', 'FAX', 'HOME', 'OTHER'];
const EMAIL_CODES = ['WORK', 'PRIV', 'OTHER'];

export function defaultFields(): CustomField[] {
  const made: CustomField[] = [];
  const field = (
    owner: FieldOwner,
    id: number,
    type: string,
    name: string,
    extra: Partial<Pick<CustomField, 'code' | 'enums'>> = {},
  ) => {
    const sort = 500 + made.filter((other) => other.owner === owner).length;
    made.push({ id, owner, name, type, sort, code: null, is_api_only: false, enums: [], ...extra });
  };
  field('leads', 900101, 'text', 'Kaspi: код заказа');
  field('leads', 900102, 'text', 'Адрес доставки');
  field('leads', 900103, 'select', 'Способ доставки', {
    enums: ['Kaspi Доставка', 'Самовывоз', 'Курьер'].map((value, i) => ({ id: 910001 + i, value, sort: i + 1 })),
  });
  field('leads', 900104, 'numeric', 'Стоимость доставки');
  field('leads', 900105, 'date', 'Дата доставки');
  field('leads', 712629, 'text', 'Серийный номер');
  field('leads', 712631, 'text', 'Модель');
  field('leads', 712633, 'text', 'Telegram');
  field('leads', 712635, 'text', 'Состояние сервиса');
  field('leads', 712637, 'text', 'Следующий сервис');
  field('leads', 528943, 'text', '№ заказа');
  field('leads', 528957, 'textarea', 'Комментарий');
  field('leads', 805497, 'text', 'Авто в сделке');
  field('leads', 805499, 'text', 'Рекомендации');
  field('leads', 805501, 'text', 'Причина обращения');
  for (const [i, owner] of (['contacts', 'companies'] as const).entries()) {
    field(owner, PHONE_FIELD[owner], 'multitext', 'Телефон', {
      code: 'PHONE',
      enums: codes(810001 + i * 100, PHONE_CODES),
    });
    field(owner, EMAIL_FIELD[owner], 'multitext', 'Email', {
      code: 'EMAIL',
      enums: codes(820001 + i * 100, EMAIL_CODES),
    });
  }
  field('contacts', 786089, 'text', 'Код 1С');
  field('contacts', 805505, 'text', 'ид. авто клиента');
  field('contacts', 800003, 'text', 'Должность', { code: 'POSITION' });
  field(`catalog:${GOODS_CATALOG}`, SKU_FIELD, 'text', 'Артикул', { code: 'SKU' });
  field(`catalog:${GOODS_CATALOG}`, PRICE_FIELD, 'price', 'Цена', { code: 'PRICE' });
  return made;
}
