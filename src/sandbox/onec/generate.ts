import { putClient, putEntity } from './content.ts';
import { EMPTY_REF, textOf } from './model.ts';
import { guidOf, propertyOf, putInformation, type World } from './world.ts';

/** Documents made by rule, the same for the same numbers. Dates are spread evenly over `[from, to)`, local to the server. */
export interface GenerateSpec {
  workOrders?: number;
  customerOrders?: number;
  /** Counterparties to make beside those that are there; documents take turns among all of them. */
  clients?: number;
  /** Items to make beside those that are there. */
  goods?: number;
  /** `2026-09-01T00:00:00`; default: the start of today. */
  from?: string;
  /** Default: now. */
  to?: string;
}

interface Pools {
  clients: { ref: string; contract: string }[];
  goods: string[];
  works: string[];
  states: string[];
}

function makeClients(world: World, count: number): void {
  for (let n = 0; n < count; n++) {
    const number = world.nextNumber('Catalog_Контрагенты');
    const digits = String(number).padStart(7, '0');
    const company = n % 4 === 3;
    putClient(world, `ЦБ${digits}`, {
      name: company ? `ООО «Пример ${number}»` : `Примеров${number} Иван`,
      form: company ? 'ЮридическоеЛицо' : 'ЧастноеЛицо',
      first: company ? '' : 'Иван',
      last: company ? '' : `Примеров${number}`,
      contacts: [
        ['phone', `+7 (901) ${digits.slice(0, 3)}-${digits.slice(3, 5)}-${digits.slice(5)}`],
        ['email', `client${number}@sandbox.example`],
      ],
    });
  }
}

function makeGoods(world: World, count: number): void {
  const model = world.find('Catalog_Номенклатура', 'Фильтр масляный CHANGAN');
  const makers = world.all('Catalog_Производители').map((maker) => textOf(maker, 'Ref_Key'));
  for (let n = 0; n < count; n++) {
    const number = world.nextNumber('Catalog_Номенклатура');
    const article = `TST-${number}`;
    putEntity(world, 'Catalog_Номенклатура', {
      ...model,
      Ref_Key: guidOf(`generated item ${number}`),
      DataVersion: '',
      Code: String(number).padStart(11, '0'),
      Description: `Деталь пробная ${number}`,
      НаименованиеПолное: `Деталь пробная ${number}`,
      Артикул: article,
      АртикулДляПоиска: article.replace('-', ''),
      Производитель_Key: makers[n % makers.length] ?? EMPTY_REF,
    });
  }
}

function poolsOf(world: World): Pools {
  const refs = (set: string) =>
    world
      .all(set)
      .filter((one) => one.IsFolder !== true && one.DeletionMark !== true)
      .map((one) => textOf(one, 'Ref_Key'));
  const contracts = world.all('Catalog_ДоговорыВзаиморасчетов');
  const states = ['ВРаботе', 'Размещен', 'ГотовКОтгрузке', 'ОжидаетПоставки', 'НачатьРаботу'];
  return {
    clients: contracts.map((one) => ({ ref: textOf(one, 'Owner_Key'), contract: textOf(one, 'Ref_Key') })),
    goods: refs('Catalog_Номенклатура').filter(
      (ref) => world.get('Catalog_Номенклатура', ref)?.ВидНоменклатуры === 'Товар',
    ),
    works: refs('Catalog_Автоработы'),
    states: states.map((name) => world.ref('Catalog_ВидыСостоянийЗаказНарядов', name)),
  };
}

/** References that every document has. */
export function headerValues(world: World, operation: string): Record<string, unknown> {
  return {
    Организация_Key: world.ref('Catalog_Организации', 'ОсновнаяОрганизация'),
    ПодразделениеКомпании_Key: world.ref('Catalog_ПодразделенияКомпании', 'ОсновноеПодразделение'),
    Автор_Key: world.ref('Catalog_Пользователи', 'Мастеров М. М.'),
    Менеджер_Key: world.ref('Catalog_Сотрудники', 'Слесарев С. С.'),
    ВалютаДокумента_Key: world.ref('Catalog_Валюты', 'руб.'),
    КурсДокумента: 1,
    ХозОперация_Key: world.ref('Catalog_ХозОперации', operation),
  };
}

export function repairValues(world: World): Record<string, unknown> {
  const price = world.ref('Catalog_ТипыЦен', 'ОсновнойТипЦенПродажи');
  return {
    ТипЦен_Key: price,
    ТипЦенРабот_Key: price,
    ВидРемонта_Key: world.ref('Catalog_ВидыРемонта', 'Коммерческий ремонт'),
    Цех_Key: world.ref('Catalog_Цеха', 'ОсновнойЦех'),
  };
}

function goodsRow(world: World, item: string, quantity: number, price: number): Record<string, unknown> {
  const sum = Math.round(quantity * price * 100) / 100;
  return {
    Номенклатура_Key: item,
    Количество: quantity,
    ЕдиницаИзмерения_Key: textOf(world.get('Catalog_Номенклатура', item), 'ОсновнаяЕдиницаИзмерения_Key'),
    Коэффициент: 1,
    Цена: price,
    Сумма: sum,
    СуммаВсего: sum,
    СтавкаНДС_Key: world.ref('Catalog_СтавкиНДС', 'БезНДС'),
  };
}

function worksRow(world: World, work: string, line: number, quantity: number, price: number): Record<string, unknown> {
  const sum = Math.round(quantity * price * 100) / 100;
  return {
    Авторабота_Key: work,
    ИдентификаторРаботы: String(line),
    Количество: quantity,
    Коэффициент: 1,
    Цена: price,
    Сумма: sum,
    СуммаВсего: sum,
    СтавкаНДС_Key: world.ref('Catalog_СтавкиНДС', 'БезНДС'),
    СпособРасчетаСтоимостиРаботы: 'ФиксированнойСуммой',
  };
}

const at = <T>(list: readonly T[], index: number): T => {
  const found = list[index % list.length];
  if (found === undefined) throw new Error('1C stand-in: nothing to generate documents from');
  return found;
};

const totalOf = (rows: readonly Record<string, unknown>[]) =>
  Math.round(rows.reduce((sum, row) => sum + Number(row.СуммаВсего), 0) * 100) / 100;

function workOrder(world: World, pools: Pools, index: number, date: string): void {
  const number = String(world.nextNumber('Document_ЗаказНаряд')).padStart(11, '0');
  const client = at(pools.clients, index);
  const goods = [0, 1].map((line) => goodsRow(world, at(pools.goods, index + line), 1 + line, 330 + (index % 50)));
  const works = [worksRow(world, at(pools.works, index), 1, 0.75, 1000 + (index % 20))];
  const summary = putEntity(world, 'Document_СводныйРемонтныйЗаказ', {
    ...headerValues(world, 'СводныйРемонтныйЗаказ'),
    Ref_Key: guidOf(`generated summary ${number}`),
    Number: number,
    Date: date,
    Заказчик_Key: client.ref,
    Автомобиль_Key: textOf(world.all('Catalog_Автомобили')[0], 'Ref_Key'),
  });
  const ref = putEntity(world, 'Document_ЗаказНаряд', {
    ...headerValues(world, 'ЗаказНаряд'),
    ...repairValues(world),
    Ref_Key: guidOf(`generated work order ${number}`),
    Number: number,
    Date: date,
    Posted: true,
    ДатаОперации: date,
    ДатаСоздания: date,
    Контрагент_Key: client.ref,
    ДоговорВзаиморасчетов_Key: client.contract,
    СводныйРемонтныйЗаказ_Key: summary,
    ДокументОснование: summary,
    ДокументОснование_Type: 'StandardODATA.Document_СводныйРемонтныйЗаказ',
    Состояние_Key: at(pools.states, index),
    СкладКомпании_Key: world.ref('Catalog_СкладыКомпании', 'ОсновнойСкладКомпании'),
    СпособЗачетаАвансов: 'Автоматически',
    Рекомендации: `Проверить узел ${index % 9}`,
    ОписаниеПричиныОбращения: 'Плановое обслуживание',
    СуммаДокумента: totalOf([...goods, ...works]),
    СуммаНоменклатурыДокумента: totalOf(goods),
    СуммаРаботДокумента: totalOf(works),
    Товары: goods,
    Автоработы: works,
  });
  const property = world.options.extension ? propertyOf(world, 'Document_ЗаказНаряд', 'Дата записи') : undefined;
  if (property !== undefined) putInformation(world, 'Document_ЗаказНаряд', ref, property, date);
}

function customerOrder(world: World, pools: Pools, index: number, date: string): void {
  const number = `ТК${String(world.nextNumber(`Document_ЗаказПокупателя ${date.slice(0, 4)}`)).padStart(9, '0')}`;
  const client = at(pools.clients, index);
  const goods = [goodsRow(world, at(pools.goods, index), 1 + (index % 3), 500 + (index % 40))];
  const ref = putEntity(world, 'Document_ЗаказПокупателя', {
    ...headerValues(world, 'ЗаказПокупателя'),
    Ref_Key: guidOf(`generated customer order ${number} ${date.slice(0, 4)}`),
    Number: number,
    Date: date,
    Posted: true,
    ДатаОперации: date,
    ДатаСоздания: date,
    Контрагент_Key: client.ref,
    ДоговорВзаиморасчетов_Key: client.contract,
    ТипЦен_Key: world.ref('Catalog_ТипыЦен', 'ОсновнойТипЦенПродажи'),
    СкладКомпании_Key: world.ref('Catalog_СкладыКомпании', 'ОсновнойСкладКомпании'),
    СрокПоставки: date,
    СуммаДокумента: totalOf(goods),
    Товары: goods,
  });
  putEntity(world, 'InformationRegister_ЖурналСостояний', {
    Period: date,
    Объект: ref,
    Объект_Type: 'StandardODATA.Document_ЗаказПокупателя',
    Состояние: at(pools.states, index),
    Состояние_Type: 'StandardODATA.Catalog_ВидыСостоянийЗаказНарядов',
  });
}

/** Local times evenly spread: plain arithmetic on the text, as if it were UTC, since both ends are local to the same zone. */
function spread(from: string, to: string, count: number): (index: number) => string {
  const [start, end] = [Date.parse(`${from}Z`), Date.parse(`${to}Z`)];
  if (!(end >= start)) throw new Error('1C stand-in: generate.from is after generate.to');
  return (index) => new Date(start + Math.floor(((end - start) * index) / count)).toISOString().slice(0, 19);
}

export function generate(world: World, spec: GenerateSpec): void {
  const now = world.localNow();
  const { workOrders = 0, customerOrders = 0, clients = 0, goods = 0 } = spec;
  const { from = `${now.slice(0, 10)}T00:00:00`, to = now } = spec;
  makeClients(world, clients);
  makeGoods(world, goods);
  const pools = poolsOf(world);
  const total = workOrders + customerOrders;
  if (total === 0) return;
  const dateOf = spread(from, to, total);
  for (let index = 0; index < workOrders; index++) workOrder(world, pools, index, dateOf(index));
  for (let index = 0; index < customerOrders; index++) customerOrder(world, pools, index, dateOf(workOrders + index));
}
