export const STATES = 'Catalog_ВидыСостоянийЗаказНарядов';
export const PROPERTY_SETS = 'Catalog_НаборыДополнительныхРеквизитовИСведений';

type Item = [predefined: string, description: string, code: string, more?: Record<string, unknown>];

/** Predefined items; their guids differ from base to base. */
export const PREDEFINED: Readonly<Record<string, readonly Item[]>> = {
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
  // The item that works are sold as.
  Catalog_Номенклатура: [
    ['Авторабота', 'Авторабота', '00000000100', { ВидНоменклатуры: 'Услуга', НаименованиеПолное: 'Авторабота' }],
  ],
  Catalog_Нормочасы: [['Рубль', 'Рубль', '000000001']],
  Catalog_ВидыКонтактнойИнформации: [
    ['ТелефонКонтрагента', 'Телефон', '000000001', { Тип: 'Телефон' }],
    ['EmailКонтрагента', 'E-mail', '000000002', { Тип: 'АдресЭлектроннойПочты' }],
    ['ФактАдресКонтрагента', 'Фактический адрес', '000000003', { Тип: 'Адрес' }],
    ['ЮрАдресКонтрагента', 'Юридический адрес', '000000004', { Тип: 'Адрес' }],
    ['ФаксКонтрагента', 'Факс', '000000005', { Тип: 'Факс' }],
    ['ВебСтраницаКонтрагента', 'Веб-страница', '000000006', { Тип: 'ВебСтраница' }],
  ],
  [PROPERTY_SETS]: [
    ['Документ_ЗаказНаряд', 'Заказ-наряд', ''],
    ['Документ_ЗаказПокупателя', 'Заказ покупателя', ''],
    ['Документ_ЗаявкаНаРемонт', 'Заявка на ремонт', ''],
    ['Справочник_Номенклатура_Общие', 'Номенклатура (Общие)', ''],
    ['Справочник_Контрагенты', 'Контрагенты', ''],
    ['Справочник_Автоработы', 'Автоработы', ''],
  ],
};

/** Predefined states in the order of their codes, with what people read. */
export const STATE_NAMES: readonly [predefined: string, description: string][] = [
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
export const OWN: Readonly<
  Record<string, readonly [description: string, code: string, more?: Record<string, unknown>][]>
> = {
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

export interface PropertySpec {
  name: string;
  title: string;
  type: 'Number' | 'String' | 'Date';
  /** Predefined name of the set it belongs to; absent: common to all. */
  of?: string;
  marked?: boolean;
}

/** The tail that a property of one set has in its description. */
export const TITLES: Readonly<Record<string, string>> = {
  Документ_ЗаказНаряд: 'Доп. свойства документа "Заказ-наряд"',
  Документ_ЗаказПокупателя: 'Доп. свойства документа "Заказ покупателя"',
};

const DATES: readonly [name: string, title: string][] = [
  ['ДатаВыгрузкиНаСайт', 'Дата выгрузки на сайт'],
  ['ДатаОбновления', 'Дата обновления'],
  ['ДатаЗаписи', 'Дата записи'],
];

/** Service ids common to all objects, dates of each kind of document, and a marked double. */
export const PROPERTIES: readonly PropertySpec[] = [
  { name: 'amolead', title: 'amolead', type: 'Number' },
  { name: 'amoclient', title: 'amoclient', type: 'String' },
  { name: 'amocatalog', title: 'amocatalog', type: 'Number' },
  ...Object.keys(TITLES).flatMap((of) =>
    DATES.map(([name, title]): PropertySpec => ({ name, title, type: 'Date', of })),
  ),
  { name: 'amolead_старое', title: 'amolead', type: 'Number', marked: true },
];

export interface ClientSpec {
  name: string;
  form: string;
  contacts: readonly (readonly ['phone' | 'email', string])[];
  first?: string;
  last?: string;
  kind?: string;
}

/** Counterparties of every legal form; the last is the contact person of the first firm. */
export const CLIENTS: readonly (readonly [code: string, spec: ClientSpec])[] = [
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
