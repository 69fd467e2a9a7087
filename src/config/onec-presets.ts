import type { OnecMapping, OnecRole } from './mapping-onec-types.ts';

/**
 * The names of a configuration, written as an operator would write them in mapping.yaml; the operator's own part is laid
 * over it and both are read together.
 */
export interface OnecPreset {
  readonly source: Readonly<Record<string, unknown>>;
  /** Where the things of a role stand, so that an operator need not say it. */
  readonly sets: { readonly [Role in OnecRole | 'operation']?: string };
}

export type OnecPresetName = OnecMapping['preset'];

/** What holds for every configuration, and what `null` takes away. */
export const onecBase: Readonly<Record<string, unknown>> = {
  catalog: { sku: 'SKU', price: 'PRICE' },
  export: { contact_tag: 'контакт загружен из 1С' },
};

// Additional information as БСП, the library that 1C's own configurations share, keeps it.
const propertiesOfBsp = {
  register: 'InformationRegister_ДополнительныеСведения',
  chart: 'ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения',
};

// The table part of phones and e-mails, likewise from БСП.
const contactsOfBsp = {
  contacts: 'КонтактнаяИнформация',
  contactType: 'Тип',
  contactKind: 'Вид_Key',
  contactText: 'Представление',
  contactPhone: 'НомерТелефона',
  contactEmail: 'АдресЭП',
  phoneType: 'Телефон',
  emailType: 'АдресЭлектроннойПочты',
};

const KINDS_OF_CONTACT = 'Catalog_ВидыКонтактнойИнформации';
const STATES = 'Catalog_ВидыСостоянийЗаказНарядов';
const OPERATIONS = 'Catalog_ХозОперации';

// Attributes that all four documents have (seen in Alfa-Auto 6.1).
const alfaCommon = {
  comment: 'Комментарий',
  organization: 'Организация_Key',
  department: 'ПодразделениеКомпании_Key',
  operation: 'ХозОперация_Key',
  currency: 'ВалютаДокумента_Key',
  author: 'Автор_Key',
  manager: 'Менеджер_Key',
};

const alfaGoods = {
  table: 'Товары',
  item: 'Номенклатура_Key',
  qty: 'Количество',
  price: 'Цена',
  sum: 'Сумма',
  total: 'СуммаВсего',
  unit: 'ЕдиницаИзмерения_Key',
  factor: 'Коэффициент',
  vat: 'СтавкаНДС_Key',
  vatSum: 'СуммаНДС',
};

const alfaWorks = {
  table: 'Автоработы',
  item: 'Авторабота_Key',
  id: 'ИдентификаторРаботы',
  qty: 'Количество',
  price: 'Цена',
  sum: 'Сумма',
  total: 'СуммаВсего',
  factor: 'Коэффициент',
  vat: 'СтавкаНДС_Key',
  vatSum: 'СуммаНДС',
};

const alfaDocuments = {
  workOrder: {
    ...alfaCommon,
    set: 'Document_ЗаказНаряд',
    // A plain write in any state but Заявка posts it, and posting in Заявка does not; so its state alone decides.
    post: false,
    counterparty: 'Контрагент_Key',
    contract: 'ДоговорВзаиморасчетов_Key',
    warehouse: 'СкладКомпании_Key',
    priceType: 'ТипЦен_Key',
    workPriceType: 'ТипЦенРабот_Key',
    repairKind: 'ВидРемонта_Key',
    workshop: 'Цех_Key',
    amount: 'СуммаДокумента',
    reason: 'ОписаниеПричиныОбращения',
    recommendations: 'Рекомендации',
    base: { field: 'ДокументОснование', typed: true },
    chain: 'СводныйРемонтныйЗаказ_Key',
    state: { kind: 'field', field: 'Состояние_Key', catalog: STATES },
    goods: alfaGoods,
    works: alfaWorks,
  },
  customerOrder: {
    ...alfaCommon,
    set: 'Document_ЗаказПокупателя',
    post: true,
    counterparty: 'Контрагент_Key',
    contract: 'ДоговорВзаиморасчетов_Key',
    car: 'Автомобиль_Key',
    warehouse: 'СкладКомпании_Key',
    priceType: 'ТипЦен_Key',
    amount: 'СуммаДокумента',
    due: 'СрокПоставки',
    base: { field: 'ДокументОснование', typed: true },
    // It has no attribute of its own for the state; 1C computes it at posting and keeps it in this register.
    state: {
      kind: 'register',
      set: 'InformationRegister_ЖурналСостояний',
      object: 'Объект',
      value: 'Состояние',
      catalog: STATES,
    },
    goods: alfaGoods,
  },
  repairRequest: {
    ...alfaCommon,
    set: 'Document_ЗаявкаНаРемонт',
    post: true,
    customer: 'Заказчик_Key',
    counterparty: 'Контрагент_Key',
    contract: 'ДоговорВзаиморасчетов_Key',
    car: 'Автомобиль_Key',
    priceType: 'ТипЦен_Key',
    workPriceType: 'ТипЦенРабот_Key',
    repairKind: 'ВидРемонта_Key',
    workshop: 'Цех_Key',
    amount: 'СуммаДокумента',
    reason: 'ОписаниеПричиныОбращения',
    phone: 'ПредставлениеТелефона',
    email: 'АдресЭлектроннойПочты',
    goods: alfaGoods,
    works: alfaWorks,
  },
  repairSummary: {
    ...alfaCommon,
    set: 'Document_СводныйРемонтныйЗаказ',
    // Posting it is forbidden.
    post: false,
    customer: 'Заказчик_Key',
    car: 'Автомобиль_Key',
    // Its form asks for this date; the document's own is what the form proposes.
    due: 'ДатаСводногоРемонтногоЗаказа',
    phone: 'ПредставлениеТелефона',
    email: 'АдресЭлектроннойПочты',
    base: { field: 'ДокументОснование', typed: true },
  },
};

const alfaCatalogs = {
  counterparty: {
    ...contactsOfBsp,
    set: 'Catalog_Контрагенты',
    legalForm: 'ФормаСобственности',
    legalValues: ['ЮридическоеЛицо', 'ОбособленноеПодразделение'],
    entrepreneurValues: ['ИндивидуальныйПредприниматель'],
    // Screens say «Физическое лицо», the metadata ЧастноеЛицо.
    personValue: 'ЧастноеЛицо',
    legalValue: 'ЮридическоеЛицо',
    fullName: 'НаименованиеПолное',
    firstName: 'Имя',
    lastName: 'Фамилия',
    phoneKind: { set: KINDS_OF_CONTACT, predefined: 'ТелефонКонтрагента' },
    emailKind: { set: KINDS_OF_CONTACT, predefined: 'EmailКонтрагента' },
    persons: { set: 'InformationRegister_КонтактныеЛица', owner: 'Владелец', person: 'КонтактноеЛицо_Key' },
  },
  item: {
    set: 'Catalog_Номенклатура',
    article: 'Артикул',
    searchArticle: 'АртикулДляПоиска',
    maker: 'Производитель_Key',
    // Of the classifier; 1C makes the unit that rows take from it when the item is written.
    unit: 'БазоваяЕдиницаИзмерения_Key',
    lineUnit: 'ОсновнаяЕдиницаИзмерения_Key',
    fullName: 'НаименованиеПолное',
    type: 'ТипНоменклатуры_Key',
    vat: 'СтавкаНДС_Key',
  },
  work: {
    set: 'Catalog_Автоработы',
    article: 'Артикул',
    fullName: 'НаименованиеПолное',
    item: 'Номенклатура_Key',
    type: 'Тип_Key',
  },
  maker: { set: 'Catalog_Производители' },
  unit: { set: 'Catalog_КлассификаторЕдиницИзмерения' },
  contract: {
    set: 'Catalog_ДоговорыВзаиморасчетов',
    owner: 'Owner_Key',
    organization: 'Организация_Key',
    department: 'ПодразделениеКомпании_Key',
    currency: 'ВалютаВзаиморасчетов_Key',
  },
  organization: { set: 'Catalog_Организации' },
  department: { set: 'Catalog_ПодразделенияКомпании' },
  user: { set: 'Catalog_Пользователи' },
  manager: { set: 'Catalog_Сотрудники' },
  car: { set: 'Catalog_Автомобили' },
};

/** 1С:Рарус Альфа-Авто, edition 6; names as seen in version 6.1.13. */
const alfaAuto6: OnecPreset = {
  sets: {
    organization: 'Catalog_Организации',
    department: 'Catalog_ПодразделенияКомпании',
    warehouse: 'Catalog_СкладыКомпании',
    priceType: 'Catalog_ТипыЦен',
    workPriceType: 'Catalog_ТипыЦен',
    vat: 'Catalog_СтавкиНДС',
    repairKind: 'Catalog_ВидыРемонта',
    workshop: 'Catalog_Цеха',
    currency: 'Catalog_Валюты',
    author: 'Catalog_Пользователи',
    manager: 'Catalog_Сотрудники',
    unit: 'Catalog_КлассификаторЕдиницИзмерения',
    itemType: 'Catalog_ТипыНоменклатуры',
    workItem: 'Catalog_Номенклатура',
    workType: 'Catalog_ТипыАвторабот',
    itemFolder: 'Catalog_Номенклатура',
    workFolder: 'Catalog_Автоработы',
    counterpartyFolder: 'Catalog_Контрагенты',
    operation: OPERATIONS,
  },
  source: {
    documents: alfaDocuments,
    catalogs: alfaCatalogs,
    properties: propertiesOfBsp,
    changes: { strategy: ['property', 'field', 'dataVersion'], field: 'ДатаОперации', created: 'ДатаСоздания' },
    defaults: {
      organization: { set: 'Catalog_Организации', predefined: 'ОсновнаяОрганизация' },
      department: { set: 'Catalog_ПодразделенияКомпании', predefined: 'ОсновноеПодразделение' },
      warehouse: { set: 'Catalog_СкладыКомпании', predefined: 'ОсновнойСкладКомпании' },
      priceType: { set: 'Catalog_ТипыЦен', predefined: 'ОсновнойТипЦенПродажи' },
      workPriceType: { set: 'Catalog_ТипыЦен', predefined: 'ОсновнойТипЦенПродажи' },
      vat: { set: 'Catalog_СтавкиНДС', predefined: 'БезНДС' },
      workshop: { set: 'Catalog_Цеха', predefined: 'ОсновнойЦех' },
      // The rouble's code in the all-Russian classifier.
      currency: { set: 'Catalog_Валюты', code: '643' },
      unit: { set: 'Catalog_КлассификаторЕдиницИзмерения', predefined: 'шт' },
      itemType: { set: 'Catalog_ТипыНоменклатуры', predefined: 'Штучный' },
      workItem: { set: 'Catalog_Номенклатура', predefined: 'Авторабота' },
      workType: { set: 'Catalog_ТипыАвторабот', predefined: 'ПоУмолчанию' },
      operation: {
        workOrder: { set: OPERATIONS, predefined: 'ЗаказНаряд' },
        customerOrder: { set: OPERATIONS, predefined: 'ЗаказПокупателя' },
        repairRequest: { set: OPERATIONS, predefined: 'ЗаявкаНаРемонт' },
        repairSummary: { set: OPERATIONS, predefined: 'СводныйРемонтныйЗаказ' },
      },
    },
    constants: {
      workOrder: { КурсДокумента: 1, КурсВалютыУпр: 1, СпособЗачетаАвансов: 'Автоматически' },
      customerOrder: { КурсДокумента: 1, КурсВалютыУпр: 1 },
      repairRequest: { КурсДокумента: 1, КурсВалютыУпр: 1, Состояние: 'НеУказано' },
      repairSummary: { КурсДокумента: 1, КурсВалютыУпр: 1 },
      item: { ВидНоменклатуры: 'Товар' },
      work: { ВидИспользования: 'ПланированиеИПроизводство', СпособРасчетаСтоимостиРаботы: 'ФиксированнойСуммой' },
      counterparty: { ВидКонтрагента: 'Покупатель' },
      // One of the two flags must be set; the rest is what a form fills in for a buyer.
      contract: {
        ВидДоговора: 'Продажа',
        ТипДоговора: 'Договор',
        ДляАвтосервиса: true,
        СпособЗачетаАвансов: 'Автоматически',
      },
      goodsRow: { Коэффициент: 1 },
      worksRow: { Коэффициент: 1, СпособРасчетаСтоимостиРаботы: 'ФиксированнойСуммой' },
    },
  },
};

/** 1С:Управление торговлей 11: the customer's order alone, its state an enumeration that is shown by its name. */
const ut11: OnecPreset = {
  sets: {
    organization: 'Catalog_Организации',
    department: 'Catalog_СтруктураПредприятия',
    warehouse: 'Catalog_Склады',
    priceType: 'Catalog_ВидыЦен',
    vat: 'Catalog_СтавкиНДС',
    currency: 'Catalog_Валюты',
    author: 'Catalog_Пользователи',
    manager: 'Catalog_Пользователи',
    unit: 'Catalog_УпаковкиЕдиницыИзмерения',
    itemType: 'Catalog_ВидыНоменклатуры',
    itemFolder: 'Catalog_Номенклатура',
    counterpartyFolder: 'Catalog_Контрагенты',
  },
  source: {
    documents: {
      customerOrder: {
        set: 'Document_ЗаказКлиента',
        comment: 'ДополнительнаяИнформация',
        amount: 'СуммаДокумента',
        counterparty: 'Контрагент_Key',
        customer: 'Партнер_Key',
        contract: 'Договор_Key',
        organization: 'Организация_Key',
        department: 'Подразделение_Key',
        warehouse: 'Склад_Key',
        goods: {
          table: 'Товары',
          item: 'Номенклатура_Key',
          qty: 'Количество',
          price: 'Цена',
          sum: 'Сумма',
          total: 'СуммаСНДС',
          vat: 'СтавкаНДС_Key',
          vatSum: 'СуммаНДС',
        },
      },
    },
    catalogs: {
      counterparty: {
        ...contactsOfBsp,
        set: 'Catalog_Контрагенты',
        legalForm: 'ЮридическоеФизическоеЛицо',
        legalValues: ['ЮридическоеЛицо'],
        personValue: 'ФизическоеЛицо',
        legalValue: 'ЮридическоеЛицо',
        fullName: 'НаименованиеПолное',
      },
      item: { set: 'Catalog_Номенклатура', article: 'Артикул', fullName: 'НаименованиеПолное' },
      work: { set: 'Catalog_Номенклатура', article: 'Артикул', fullName: 'НаименованиеПолное' },
      organization: { set: 'Catalog_Организации' },
      department: { set: 'Catalog_СтруктураПредприятия' },
      user: { set: 'Catalog_Пользователи' },
    },
    properties: propertiesOfBsp,
    changes: { strategy: ['property', 'dataVersion'] },
    import: { as: 'customerOrder' },
  },
};

/** 1С:Управление нашей фирмой: the customer's order alone. */
const unf: OnecPreset = {
  sets: {
    organization: 'Catalog_Организации',
    department: 'Catalog_СтруктурныеЕдиницы',
    warehouse: 'Catalog_СтруктурныеЕдиницы',
    priceType: 'Catalog_ВидыЦен',
    vat: 'Catalog_СтавкиНДС',
    currency: 'Catalog_Валюты',
    author: 'Catalog_Пользователи',
    manager: 'Catalog_Сотрудники',
    unit: 'Catalog_КлассификаторЕдиницИзмерения',
    itemFolder: 'Catalog_Номенклатура',
    counterpartyFolder: 'Catalog_Контрагенты',
  },
  source: {
    documents: {
      customerOrder: {
        set: 'Document_ЗаказПокупателя',
        comment: 'Комментарий',
        amount: 'СуммаДокумента',
        counterparty: 'Контрагент_Key',
        contract: 'Договор_Key',
        organization: 'Организация_Key',
        currency: 'ВалютаДокумента_Key',
        manager: 'Ответственный_Key',
        due: 'ДатаОтгрузки',
        state: { kind: 'field', field: 'СостояниеЗаказа_Key', catalog: 'Catalog_СостоянияЗаказовПокупателей' },
        goods: {
          table: 'Запасы',
          item: 'Номенклатура_Key',
          qty: 'Количество',
          price: 'Цена',
          sum: 'Сумма',
          total: 'Всего',
          vat: 'СтавкаНДС_Key',
          vatSum: 'СуммаНДС',
        },
      },
    },
    catalogs: {
      counterparty: {
        ...contactsOfBsp,
        set: 'Catalog_Контрагенты',
        legalForm: 'ВидКонтрагента',
        legalValues: ['ЮридическоеЛицо'],
        entrepreneurValues: ['ИндивидуальныйПредприниматель'],
        personValue: 'ФизическоеЛицо',
        legalValue: 'ЮридическоеЛицо',
        fullName: 'НаименованиеПолное',
      },
      item: { set: 'Catalog_Номенклатура', article: 'Артикул', fullName: 'НаименованиеПолное' },
      work: { set: 'Catalog_Номенклатура', article: 'Артикул', fullName: 'НаименованиеПолное' },
      organization: { set: 'Catalog_Организации' },
      department: { set: 'Catalog_СтруктурныеЕдиницы' },
      user: { set: 'Catalog_Пользователи' },
      manager: { set: 'Catalog_Сотрудники' },
    },
    properties: propertiesOfBsp,
    // The one configuration with a true time of change.
    changes: { strategy: ['property', 'field', 'dataVersion'], field: 'ДатаИзменения' },
    import: { as: 'customerOrder' },
  },
};

export const onecPresets: Readonly<Record<OnecPresetName, OnecPreset>> = {
  'alfa-auto-6': alfaAuto6,
  'ut-11': ut11,
  unf,
  none: { source: {}, sets: {} },
};
