import { EMPTY_REF } from './model.ts';
import { noteNumber, seededEntity } from './rules.ts';
import { ENTITY_TYPES } from './types.ts';
import { guidOf, type World } from './world.ts';

const CHART = 'ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения';
const SETS = 'Catalog_НаборыДополнительныхРеквизитовИСведений';
const STATES = 'Catalog_ВидыСостоянийЗаказНарядов';

type Item = [predefined: string, description: string, code: string, more?: Record<string, unknown>];

/** Predefined items; their guids differ from base to base. */
const PREDEFINED: Readonly<Record<string, readonly Item[]>> = {
  Catalog_Организации: [['ОсновнаяОрганизация', 'Наша контора', '000000001', { Префикс: 'ТК' }]],
  Catalog_ПодразделенияКомпании: [
    ['ОсновноеПодразделение', 'Основное подразделение', '000000001'],
    ['ВсяКомпанияЦеликом', 'Вся компания целиком', '000000002'],
  ],
  Catalog_СкладыКомпании: [['ОсновнойСкладКомпании', 'Основной склад компании', '000000001']],
  Catalog_ТипыЦен: [['ОсновнойТипЦенПродажи', 'Основной тип цен продажи', '00002']],
  Catalog_СтавкиНДС: [
    ['БезНДС', 'Без НДС', '00001'],
    ['ОсновнаяСтавкаНДС', '20%', '00002', { Ставка: 20 }],
    ['ОсновнаяСтавкаНДС10', '10%', '00003', { Ставка: 10 }],
  ],
  Catalog_Цеха: [['ОсновнойЦех', 'Основной цех', '000000001']],
  Catalog_ХозОперации: [
    ['ЗаказНаряд', 'Заказ-наряд', '000000001'],
    ['ЗаявкаНаРемонт', 'Заявка на ремонт', '000000002'],
    ['СводныйРемонтныйЗаказ', 'Сводный ремонтный заказ', '000000003'],
    ['ЗаказПокупателя', 'Заказ покупателя', '000000004'],
  ],
  Catalog_ПричиныОбращений: [['Прочее', 'Прочее', '000000001']],
  Catalog_ТипыНоменклатуры: [
    ['Штучный', 'Штучный', '000000001'],
    ['Авторабота', 'Авторабота', '000000002'],
    ['Услуга', 'Услуга', '000000003'],
  ],
  Catalog_ТипыАвторабот: [['ПоУмолчанию', 'По умолчанию', '000000001']],
  Catalog_Нормочасы: [['Рубль', 'Рубль', '000000001']],
  Catalog_ВидыКонтактнойИнформации: [
    ['ТелефонКонтрагента', 'Телефон', '000000001', { Тип: 'Телефон' }],
    ['EmailКонтрагента', 'E-mail', '000000002', { Тип: 'АдресЭлектроннойПочты' }],
    ['ФактАдресКонтрагента', 'Фактический адрес', '000000003', { Тип: 'Адрес' }],
    ['ЮрАдресКонтрагента', 'Юридический адрес', '000000004', { Тип: 'Адрес' }],
    ['ФаксКонтрагента', 'Факс', '000000005', { Тип: 'Факс' }],
    ['ВебСтраницаКонтрагента', 'Веб-страница', '000000006', { Тип: 'ВебСтраница' }],
  ],
  [SETS]: [
    ['Документ_ЗаказНаряд', 'Заказ-наряд', ''],
    ['Документ_ЗаказПокупателя', 'Заказ покупателя', ''],
    ['Документ_ЗаявкаНаРемонт', 'Заявка на ремонт', ''],
    ['Справочник_Номенклатура_Общие', 'Номенклатура (Общие)', ''],
    ['Справочник_Контрагенты', 'Контрагенты', ''],
    ['Справочник_Автоработы', 'Автоработы', ''],
  ],
};

/** Predefined states in the order of their codes, with what people read. */
const STATE_NAMES: readonly [predefined: string, description: string][] = [
  ['Заявка', 'Заявка'],
  ['НачатьРаботу', 'Начать работу'],
  ['ВРаботе', 'В работе'],
  ['Выполнен', 'Выполнен'],
  ['Закрыт', 'Закрыт'],
  ['ОпозданиеКлиента', 'Опоздание клиента'],
  ['ОпозданиеНачалаРабот', 'Опоздание начала работ'],
  ['ОпозданиеОкончанияРабот', 'Опоздание окончания работ'],
  ['Новый', 'Новый'],
  ['НеРазмещен', 'Не размещен'],
  ['Размещен', 'Размещен'],
  ['ГотовКОтгрузкеЧастично', 'Готов к отгрузке частично'],
  ['ГотовКОтгрузке', 'Готов к отгрузке'],
  ['ОжидаетПоставки', 'Ожидает поставки'],
  ['ЧастичноПолучен', 'Частично получен'],
];

/** Items that people of this firm made. */
const OWN: Readonly<Record<string, readonly [description: string, code: string, more?: Record<string, unknown>][]>> = {
  [STATES]: [
    ['Согласование', '0000000016'],
    ['Стоянка', '0000000017'],
    ['Отказ', '0000000018'],
  ],
  Catalog_ПодразделенияКомпании: [['Сервис на Лесной', '000000003']],
  Catalog_ВидыРемонта: [
    ['Гарантийный ремонт', '00000001'],
    ['Внутренний ремонт', '00000002'],
    ['Коммерческий ремонт', '00000003'],
  ],
  Catalog_Валюты: [['руб.', '643', { НаименованиеПолное: 'Российский рубль' }]],
  Catalog_Пользователи: [
    ['Обмен', ''],
    ['Мастеров М. М.', ''],
  ],
  Catalog_Сотрудники: [['Слесарев С. С.', '000000001']],
  Catalog_Взаимоотношения: [['Сотрудник', '000000001']],
  Catalog_Модели: [['LADA Vesta', '000000001']],
  Catalog_Производители: ['MANDO', 'SLON', 'Triall', 'LYNXauto', 'MILES'].map((name, index): [string, string] => [
    name,
    String(index + 1).padStart(9, '0'),
  ]),
};

/** Puts one whole entity in; its counters know its number afterwards. */
export function putEntity(world: World, set: string, values: Record<string, unknown>): string {
  const type = ENTITY_TYPES.get(set);
  if (!type) throw new Error(`1C stand-in: no set ${set}`);
  const entity = seededEntity(world, type, values);
  world.put(set, entity);
  if (type.kind !== 'register') noteNumber(world, type, entity);
  return String(entity.Ref_Key ?? '');
}

function put(world: World, set: string, key: string, values: Record<string, unknown>): string {
  return putEntity(world, set, { Ref_Key: guidOf(`${set} ${key}`), ...values });
}

/** A property's type as 1C describes it over OData. */
function valueType(type: 'Number' | 'String' | 'Date'): Record<string, unknown> {
  return {
    Types: [type],
    NumberQualifiers: { AllowedSign: 'Any', Digits: type === 'Number' ? 15 : 0, FractionDigits: 0 },
    StringQualifiers: { AllowedLength: 'Variable', Length: type === 'String' ? '50' : '0' },
    DateQualifiers: { DateFractions: 'DateTime' },
    BinaryDataQualifiers: { AllowedLength: 'Variable', Length: '0' },
  };
}

interface PropertySpec {
  name: string;
  title: string;
  type: 'Number' | 'String' | 'Date';
  /** Predefined name of the set it belongs to; absent: common to all. */
  of?: string;
  marked?: boolean;
}

const TITLES: Readonly<Record<string, string>> = {
  Документ_ЗаказНаряд: 'Доп. свойства документа "Заказ-наряд"',
  Документ_ЗаказПокупателя: 'Доп. свойства документа "Заказ покупателя"',
};

const DATES: readonly [name: string, title: string][] = [
  ['ДатаВыгрузкиНаСайт', 'Дата выгрузки на сайт'],
  ['ДатаОбновления', 'Дата обновления'],
  ['ДатаЗаписи', 'Дата записи'],
];

const PROPERTIES: readonly PropertySpec[] = [
  { name: 'amolead', title: 'amolead', type: 'Number' },
  { name: 'amoclient', title: 'amoclient', type: 'String' },
  { name: 'amocatalog', title: 'amocatalog', type: 'Number' },
  ...Object.keys(TITLES).flatMap((of) =>
    DATES.map(([name, title]): PropertySpec => ({ name, title, type: 'Date', of })),
  ),
  { name: 'amolead_старое', title: 'amolead', type: 'Number', marked: true },
];

function putProperties(world: World): void {
  for (const { name, title, type, of, marked } of PROPERTIES) {
    put(world, CHART, `${name} ${of ?? ''}`, {
      Description: of === undefined ? title : `${title} (${TITLES[of]})`,
      Заголовок: title,
      Имя: of === 'Документ_ЗаказПокупателя' ? `${name}_ЗаказПокупателя` : name,
      ЭтоДополнительноеСведение: true,
      ВидСвойств: 'ДополнительныеСведения',
      НаборСвойств_Key: of === undefined ? EMPTY_REF : world.ref(SETS, of),
      DeletionMark: marked === true,
      ValueType: valueType(type),
    });
  }
}

function predefinedRef(world: World, set: string, name: string): string {
  const shift = world.options.predefinedShift;
  return guidOf(shift === 0 ? `${set} predefined ${name}` : `${set} predefined ${name} ${shift}`);
}

function putPredefined(world: World): void {
  for (const [set, items] of Object.entries(PREDEFINED)) {
    for (const [name, description, code, more] of items) {
      const ref = predefinedRef(world, set, name);
      const values = { Ref_Key: ref, Description: description, Code: code, ...more };
      putEntity(world, set, { ...values, Predefined: true, PredefinedDataName: name });
    }
  }
  for (const [index, [name, description]] of STATE_NAMES.entries()) {
    putEntity(world, STATES, {
      Ref_Key: predefinedRef(world, STATES, name),
      Code: String(index + 1).padStart(10, '0'),
      Description: description,
      Predefined: true,
      PredefinedDataName: name,
      Порядок: index + 1,
      ИспользоватьВЗаказНаряде: true,
      ИспользоватьВЗаказеПокупателя: index >= 8,
    });
  }
}

/** Gives predefined items the guids that the switch `predefinedShift` asks for, wherever they are referred to. */
export function shiftPredefined(world: World): void {
  const changes = new Map<string, string>();
  for (const set of [...Object.keys(PREDEFINED), STATES]) {
    for (const { Ref_Key, Predefined, PredefinedDataName } of world.all(set)) {
      if (Predefined === true) changes.set(String(Ref_Key), predefinedRef(world, set, String(PredefinedDataName)));
    }
  }
  world.remap(changes);
}

/** A card's row of contact information; Представление is what people typed. */
export function contactRow(world: World, kind: 'phone' | 'email', text: string): Record<string, unknown> {
  const set = 'Catalog_ВидыКонтактнойИнформации';
  if (kind === 'email') {
    return {
      Тип: 'АдресЭлектроннойПочты',
      Вид_Key: world.ref(set, 'EmailКонтрагента'),
      Представление: text,
      АдресЭП: text,
    };
  }
  const digits = text.replace(/\D/g, '');
  return { Тип: 'Телефон', Вид_Key: world.ref(set, 'ТелефонКонтрагента'), Представление: text, НомерТелефона: digits };
}

function putGoods(world: World): void {
  const unit = put(world, 'Catalog_ЕдиницыИзмерения', 'шт', {
    Description: 'шт',
    Code: '000000001',
    Коэффициент: 1,
    Owner: world.ref('Catalog_ТипыНоменклатуры', 'Штучный'),
    Owner_Type: 'StandardODATA.Catalog_ТипыНоменклатуры',
  });
  const goods: [article: string, maker: string, name: string][] = [
    ['MJ1009', 'MANDO', 'Фильтр масляный CHANGAN'],
    ['DB83034', 'MILES', 'Ступица с подшипником'],
    ['SLN.012', 'SLON', 'Рычаг подвески'],
    ['G0202', 'Triall', 'Горловина радиатора'],
    ['LA10091', 'LYNXauto', 'Фильтр воздушный'],
  ];
  put(world, 'Catalog_Номенклатура', 'Запчасти', { Description: 'Запчасти', Code: '00000000001', IsFolder: true });
  for (const [index, [article, maker, name]] of goods.entries()) {
    put(world, 'Catalog_Номенклатура', article, {
      ...itemValues(world, unit),
      Code: String(index + 2).padStart(11, '0'),
      Description: name,
      НаименованиеПолное: name,
      Артикул: article,
      АртикулДляПоиска: article.replace('.', ''),
      Производитель_Key: world.ref('Catalog_Производители', maker),
    });
  }
  const works = ['Замена масла', 'Замена рычага', 'Диагностика подвески', 'Развал-схождение', 'Мойка двигателя'];
  const service = put(world, 'Catalog_Номенклатура', 'Автоработы', {
    ...itemValues(world, unit),
    Code: '00000000100',
    Description: 'Автоработы',
    ВидНоменклатуры: 'Услуга',
    ТипНоменклатуры_Key: world.ref('Catalog_ТипыНоменклатуры', 'Авторабота'),
  });
  for (const [index, name] of works.entries()) {
    put(world, 'Catalog_Автоработы', name, {
      Code: String(index + 12).padStart(10, '0'),
      Description: name,
      НаименованиеПолное: name,
      Номенклатура_Key: service,
      ВидИспользования: 'Работа',
      СпособРасчетаСтоимостиРаботы: 'ФиксированнойСуммой',
      Тип_Key: world.ref('Catalog_ТипыАвторабот', 'ПоУмолчанию'),
    });
  }
}

/** What every item has. */
export function itemValues(world: World, unit: string): Record<string, unknown> {
  return {
    ВидНоменклатуры: 'Товар',
    ТипНоменклатуры_Key: world.ref('Catalog_ТипыНоменклатуры', 'Штучный'),
    СтавкаНДС_Key: world.ref('Catalog_СтавкиНДС', 'БезНДС'),
    БазоваяЕдиницаИзмерения_Key: unit,
    ОсновнаяЕдиницаИзмерения_Key: unit,
  };
}

interface ClientSpec {
  name: string;
  form: string;
  contacts: readonly (readonly ['phone' | 'email', string])[];
  first?: string;
  last?: string;
  kind?: string;
}

/** Puts a counterparty in, with its contract. Returns its guid. */
export function putClient(world: World, code: string, { name, form, contacts, first, last, kind }: ClientSpec): string {
  const ref = put(world, 'Catalog_Контрагенты', code, {
    Code: code,
    Description: name,
    НаименованиеПолное: name,
    Имя: first ?? '',
    Фамилия: last ?? '',
    ФормаСобственности: form,
    ВидКонтрагента: kind ?? 'Покупатель',
    КонтактнаяИнформация: contacts.map(([type, text]) => contactRow(world, type, text)),
  });
  if (kind === 'КонтактноеЛицо') return ref;
  put(world, 'Catalog_ДоговорыВзаиморасчетов', code, {
    Code: code,
    Description: 'Основной договор',
    Owner_Key: ref,
    Основной: true,
    ДляАвтосервиса: true,
    ВалютаВзаиморасчетов_Key: world.ref('Catalog_Валюты', 'руб.'),
    Организация_Key: world.ref('Catalog_Организации', 'ОсновнаяОрганизация'),
    СпособЗачетаАвансов: 'Автоматически',
  });
  return ref;
}

const CLIENTS: readonly (readonly [code: string, spec: ClientSpec])[] = [
  [
    'ЦБ0000001',
    {
      name: 'Примеров Пётр',
      form: 'ЧастноеЛицо',
      first: 'Пётр',
      last: 'Примеров',
      contacts: [
        ['phone', '+7 (900) 000-00-01'],
        ['email', 'Primer1@sandbox.example'],
      ],
    },
  ],
  ['ЦБ0000002', { name: 'ООО «Пример»', form: 'ЮридическоеЛицо', contacts: [['phone', '8 900 000 00 02']] }],
  ['ЦБ0000003', { name: 'ИП Образцов', form: 'ИндивидуальныйПредприниматель', contacts: [['phone', '89000000003']] }],
  ['ЦБ0000004', { name: 'Филиал «Пример»', form: 'ОбособленноеПодразделение', contacts: [] }],
  ['ЦБ0000005', { name: 'Фонд «Пример»', form: 'ПрочаяФормаСобственности', contacts: [] }],
  [
    'ЦБ0000006',
    {
      name: 'Представителев Пал',
      form: 'ЧастноеЛицо',
      first: 'Пал',
      last: 'Представителев',
      kind: 'КонтактноеЛицо',
      contacts: [['phone', '+79000000006']],
    },
  ],
];

/** Fills an empty base with the reference data of a small firm, six counterparties, goods, works and a car. All of it made up. */
export function fillWorld(world: World): void {
  putPredefined(world);
  for (const [set, items] of Object.entries(OWN)) {
    for (const [description, code, more] of items)
      put(world, set, description, { Description: description, Code: code, ...more });
  }
  putProperties(world);
  putGoods(world);
  const refs = new Map(CLIENTS.map(([code, spec]) => [code, putClient(world, code, spec)]));
  put(world, 'Catalog_Автомобили', 'car', {
    Code: '000000001',
    Description: 'LADA Vesta',
    VIN: 'XTA00000000000001',
    Модель_Key: world.ref('Catalog_Модели', 'LADA Vesta'),
  });
  putEntity(world, 'InformationRegister_КонтактныеЛица', {
    Владелец: refs.get('ЦБ0000002'),
    Владелец_Type: 'StandardODATA.Catalog_Контрагенты',
    КонтактноеЛицо_Key: refs.get('ЦБ0000006'),
    Взаимоотношение_Key: world.ref('Catalog_Взаимоотношения', 'Сотрудник'),
    Основной: true,
  });
}
