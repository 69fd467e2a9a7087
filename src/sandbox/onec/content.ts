import { EMPTY_REF } from './model.ts';
import {
  CLIENTS,
  type ClientSpec,
  OWN,
  PREDEFINED,
  PROPERTIES,
  PROPERTY_SETS,
  STATE_NAMES,
  STATES,
  TITLES,
} from './reference.ts';
import { noteNumber, seededEntity } from './rules.ts';
import { ENTITY_TYPES } from './types.ts';
import { guidOf, type World } from './world.ts';

const CHART = 'ChartOfCharacteristicTypes_ДополнительныеРеквизитыИСведения';

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

function putProperties(world: World): void {
  for (const { name, title, type, of, marked } of PROPERTIES) {
    put(world, CHART, `${name} ${of ?? ''}`, {
      Description: of === undefined ? title : `${title} (${TITLES[of]})`,
      Заголовок: title,
      Имя: of === 'Документ_ЗаказПокупателя' ? `${name}_ЗаказПокупателя` : name,
      ЭтоДополнительноеСведение: true,
      ВидСвойств: 'ДополнительныеСведения',
      НаборСвойств_Key: of === undefined ? EMPTY_REF : world.ref(PROPERTY_SETS, of),
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
  const service = world.ref('Catalog_Номенклатура', 'Авторабота');
  Object.assign(world.get('Catalog_Номенклатура', service) ?? {}, {
    ...itemValues(world, unit),
    ВидНоменклатуры: 'Услуга',
    ТипНоменклатуры_Key: world.ref('Catalog_ТипыНоменклатуры', 'Авторабота'),
  });
  for (const [index, name] of works.entries()) {
    put(world, 'Catalog_Автоработы', name, {
      Code: String(index + 12).padStart(10, '0'),
      Description: name,
      НаименованиеПолное: name,
      Номенклатура_Key: service,
      ВидИспользования: 'ПланированиеИПроизводство',
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
